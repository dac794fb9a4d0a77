//! Checks which hosts and origins a request names: a browser's page of another site can neither read nor change anything.
//!
//! **Contract.** A page whose own name is made to resolve to this machine (DNS rebinding) is recognized by the host that its
//! requests name: only the worker's own hosts are served. Addresses are always served, because such a page needs a name.
//! A page of another origin is recognized by what its browser sends, `Sec-Fetch-Site` first, `Origin` otherwise; a page
//! can set neither. A program that is not a browser sends neither, and is trusted.

use std::collections::HashSet;
use std::net::IpAddr;
use std::path::Path;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Version, header};

use super::tls;
use crate::config::rest::RestConfig;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Stands for all hosts, or all origins.
const ALL: &str = "*";
/// The part of a host or an origin that an error repeats.
const SHOWN_MAX_CHARS: usize = 100;

/// Hosts by which this worker is known, and origins whose pages may make changes.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// Names in lower case; `*` for all.
    hosts: HashSet<String>,
    /// Suffixes of allowed host names: `.example.com`.
    host_suffixes: Vec<String>,
    /// `scheme://host:port`, including the scheme's default port; `*` for all.
    origins: HashSet<String>,
}

/// Reasons why a request's host is not one of this worker's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ForeignHost {
    /// The host is missing, given twice, or malformed.
    Malformed,
    /// The host is not one of this worker's.
    Unknown(String),
}

/// Returns this machine's name, if it has one.
pub(super) fn machine_name() -> Option<String> {
    let name = kvs_client::files::read_text(Path::new("/proc/sys/kernel/hostname")).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

impl Origins {
    /// Collects loopback names, this machine's name, the advertised one, the certificate's, and the allowed ones.
    pub(super) fn of(config: &RestConfig) -> Self {
        let certificate = config.tls.as_ref().map(|files| tls::names(&files.certificate)).unwrap_or_default();
        let own = ["localhost".to_owned(), "*.localhost".to_owned()];
        let own = own.into_iter().chain(machine_name()).chain(config.advertised_host.clone()).chain(certificate);
        let mut origins = Self::default();
        for host in own.chain(config.allowed_hosts.iter().cloned()) {
            let host = plain(&host);
            match host.strip_prefix('*') {
                Some(suffix) if suffix.starts_with('.') => origins.host_suffixes.push(suffix.to_owned()),
                _ => _ = origins.hosts.insert(host),
            }
        }
        origins.origins = config.allowed_origins.iter().filter_map(|origin| whole(origin)).collect();
        origins
    }

    /// Checks that a request names one of the worker's own hosts.
    pub(super) fn check_host(&self, request: &Request) -> Result<(), ForeignHost> {
        let mut headers = request.headers().get_all(header::HOST).iter();
        let header = headers.next();
        if headers.next().is_some() {
            return Err(ForeignHost::Malformed);
        }
        if header.is_none() && request.uri().authority().is_none() {
            // No browser of the last 25 years omits it.
            let old = request.version() == Version::HTTP_10;
            return if old { Ok(()) } else { Err(ForeignHost::Malformed) };
        }
        let header = header.map(|header| header.to_str().ok().and_then(authority).ok_or(ForeignHost::Malformed));
        let of_uri = request.uri().authority().cloned().map(Ok);
        for authority in [header, of_uri].into_iter().flatten() {
            let authority = authority?;
            if authority.as_str().contains('@') {
                return Err(ForeignHost::Malformed);
            }
            if !self.is_own(authority.host()) {
                return Err(ForeignHost::Unknown(shown(authority.host())));
            }
        }
        Ok(())
    }

    fn is_own(&self, host: &str) -> bool {
        let host = plain(host);
        is_address(&host)
            || self.hosts.contains(ALL)
            || self.hosts.contains(&host)
            || self.host_suffixes.iter().any(|suffix| host.ends_with(suffix.as_str()))
    }

    /// Returns the origin of the page of another site that sent this request, or `None` if no page or one of this worker's
    /// own did.
    pub(super) fn foreign(&self, headers: &HeaderMap) -> Option<String> {
        let mut given = headers.get_all(header::ORIGIN).iter();
        let origin = given.next().map(|origin| origin.to_str().unwrap_or_default());
        if given.next().is_some() {
            return Some("several".to_owned());
        }
        let origin_or_none = || shown(origin.unwrap_or("unknown"));
        if self.origins.contains(ALL) || origin.and_then(whole).is_some_and(|origin| self.origins.contains(&origin)) {
            return None;
        }
        match headers.get(SEC_FETCH_SITE).map(axum::http::HeaderValue::as_bytes) {
            Some(b"same-origin" | b"none") => None,
            Some(_) => Some(origin_or_none()),
            None => match origin {
                Some(origin) if !is_of_host(origin, headers) => Some(origin_or_none()),
                _ => None,
            },
        }
    }
}

fn authority(text: &str) -> Option<Authority> {
    text.parse().ok()
}

/// Normalizes a host for comparison: lower case, without an address's brackets and a name's trailing dot.
fn plain(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// Returns an origin with its port.
fn whole(origin: &str) -> Option<String> {
    if origin == ALL {
        return Some(ALL.to_owned());
    }
    let (scheme, rest) = origin.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let authority = authority(rest.strip_suffix('/').unwrap_or(rest)).filter(|found| !found.as_str().contains('@'))?;
    let port = authority.port_u16().or(match scheme.as_str() {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    })?;
    Some(format!("{scheme}://{}:{port}", plain(authority.host())))
}

/// Returns whether an origin equals the host that the request names; the port defaults to that of the origin's scheme.
fn is_of_host(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some((host, (scheme, _))) = host.zip(origin.split_once("://")) else { return false };
    let host = whole(&format!("{scheme}://{host}"));
    host.is_some() && host == whole(origin)
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX_CHARS).collect()
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
