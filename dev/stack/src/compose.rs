//! What docker-compose.yml says, as far as it is used here.
//!
//! **Contract.** A key that is not known here is an error, so that nothing of the file is silently left out when it is run
//! without containers. `user` has no meaning without containers: everything runs as the user who starts it.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::StackError;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compose {
    pub(crate) services: BTreeMap<String, Service>,
}

/// A service: an image, and how it is run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Service {
    pub(crate) image: Option<String>,
    pub(crate) build: Option<Build>,
    pub(crate) entrypoint: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// `ADDRESS:PORT:CONTAINER_PORT`.
    #[serde(default)]
    pub(crate) ports: Vec<String>,
    /// `FOLDER:CONTAINER_FOLDER`.
    #[serde(default)]
    pub(crate) volumes: Vec<String>,
    #[serde(default)]
    depends_on: Vec<String>,
    pub(crate) restart: Option<Restart>,
    #[serde(rename = "user")]
    _user: Option<String>,
}

/// What is built with the Dockerfile: its last stage, or another one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Build {
    Last(#[allow(dead_code, reason = "always the repository")] String),
    Stage {
        #[serde(rename = "context")]
        _context: String,
        target: String,
    },
}

/// What happens when a service ends by itself. Without it, the whole stack ends.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Restart {
    UnlessStopped,
}

impl Compose {
    pub(crate) fn parse(text: &str) -> Result<Self, StackError> {
        let compose: Self =
            serde_saphyr::from_str(text).map_err(|source| StackError::Compose { reason: source.to_string() })?;
        for (name, service) in &compose.services {
            if let Some(unknown) = service.depends_on.iter().find(|other| !compose.services.contains_key(*other)) {
                let reason = format!("{name} depends on {unknown}, and there is no such service");
                return Err(StackError::Compose { reason });
            }
            let words = service.command.iter().chain(service.entrypoint.iter().flatten());
            if let Some(text) = words.chain(service.environment.values()).find(|text| text.contains('$')) {
                let reason = format!("{name} has {text:?}, and variables are not replaced here");
                return Err(StackError::Compose { reason });
            }
        }
        Ok(compose)
    }

    /// Returns the services' names, each behind those that it depends on.
    pub(crate) fn in_order(&self) -> Vec<&str> {
        let mut order: Vec<&str> = Vec::new();
        // Whoever depends on itself in the end comes in the order of names.
        for _ in 0..self.services.len() {
            let ready = |name: &str, service: &Service| {
                !order.contains(&name) && service.depends_on.iter().all(|other| order.contains(&other.as_str()))
            };
            let next = self.services.iter().find(|(name, service)| ready(name, service));
            let left = || self.services.iter().find(|(name, _)| !order.contains(&name.as_str()));
            let Some((name, _)) = next.or_else(left) else { break };
            order.push(name);
        }
        order
    }
}

impl Service {
    /// Returns each published port with the container's port that it leads to.
    pub(crate) fn published(&self) -> impl Iterator<Item = (u16, u16)> {
        self.ports.iter().filter_map(|port| {
            let mut parts = port.rsplit(':');
            let inside = parts.next()?.parse().ok()?;
            Some((parts.next()?.parse().ok()?, inside))
        })
    }
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
