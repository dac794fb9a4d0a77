//! Where each service's ports are on this machine.
//!
//! **Contract.** In containers every service has an address of its own, and here all share one. So each port of each service
//! gets one here: the one that it is published at, if that is free, else any free one. [`Addresses::replace`] puts the real
//! addresses into a text: `SERVICE:PORT`; `0.0.0.0:PORT` and `//:PORT`, which are the service's own; and
//! `127.0.0.1:PORT`, which is a published one.

use std::collections::BTreeMap;
use std::net::TcpListener;

use kvs_harness::kafka::free_port;
use regex::{Captures, Regex};

use crate::StackError;
use crate::compose::Compose;

/// A service and a port of its container.
type Inside = (String, u16);

pub(crate) struct Addresses {
    /// Service, container's port, and the published one.
    published: BTreeMap<Inside, u16>,
    given: BTreeMap<Inside, u16>,
    pattern: Regex,
    only_free: bool,
}

impl Addresses {
    /// With `only_free` no published port is used.
    pub(crate) fn new(compose: &Compose, only_free: bool) -> Result<Self, StackError> {
        let names: Vec<String> = compose.services.keys().map(|name| regex::escape(name)).collect();
        let pattern = format!(r"(?P<who>\b(?:{}|0\.0\.0\.0|127\.0\.0\.1)|//):(?P<port>\d{{1,5}})\b", names.join("|"));
        let pattern = Regex::new(&pattern).map_err(|source| StackError::Compose { reason: source.to_string() })?;
        let published = compose.services.iter().flat_map(|(name, service)| {
            service.published().map(move |(outside, inside)| ((name.clone(), inside), outside))
        });
        Ok(Self { published: published.collect(), given: BTreeMap::new(), pattern, only_free })
    }

    /// Returns the port here that a service's port has.
    pub(crate) fn port(&mut self, service: &str, inside: u16) -> u16 {
        let key = (service.to_owned(), inside);
        if let Some(given) = self.given.get(&key) {
            return *given;
        }
        let wanted = self.published.get(&key).copied().filter(|port| !self.only_free && is_free(*port));
        let port = wanted.unwrap_or_else(|| self.unused());
        self.given.insert(key, port);
        port
    }

    /// Returns the ports here that a service has.
    pub(crate) fn ports(&self, service: &str) -> impl Iterator<Item = (u16, u16)> {
        self.given.iter().filter(move |((name, _), _)| name == service).map(|((_, inside), port)| (*inside, *port))
    }

    /// Puts the real addresses into a text of a service.
    pub(crate) fn replace(&mut self, service: &str, text: &str) -> String {
        let pattern = self.pattern.clone();
        let replaced = pattern.replace_all(text, |found: &Captures<'_>| {
            let Ok(port) = found["port"].parse() else { return found[0].to_owned() };
            match &found["who"] {
                "0.0.0.0" => format!("127.0.0.1:{}", self.port(service, port)),
                "//" => format!("//127.0.0.1:{}", self.port(service, port)),
                "127.0.0.1" => format!("127.0.0.1:{}", self.published_at(port)),
                other => format!("127.0.0.1:{}", self.port(other, port)),
            }
        });
        replaced.into_owned()
    }

    /// Returns the port here that stands for a published one, or the same port if nobody publishes it.
    fn published_at(&mut self, outside: u16) -> u16 {
        let found = self.published.iter().find(|(_, published)| **published == outside);
        match found.map(|((service, inside), _)| (service.clone(), *inside)) {
            Some((service, inside)) => self.port(&service, inside),
            None => outside,
        }
    }

    /// Returns a free port that nobody is given, nor will be.
    fn unused(&self) -> u16 {
        loop {
            let port = free_port();
            let taken = |other: &u16| *other == port;
            if !self.given.values().any(taken) && !self.published.values().any(taken) {
                return port;
            }
        }
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
