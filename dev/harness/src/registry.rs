//! A real schema registry: Apicurio, with Confluent's API.
//!
//! It keeps everything in memory. Schemas, ids and levels of compatibility are lost with it, so a registry cannot be
//! restarted with what it had: [`Registry::up`] after [`Registry::down`] gives an empty one at the same URL. It knows
//! no credentials, as Apicurio 2.6 has OpenID Connect only; [`crate::RegistryFront`] stands in for a registry that asks
//! for them, or that is in trouble.
//!
//! Where it differs from Confluent's registry, as far as was tried: the level of compatibility is `NONE` until one is set;
//! other whitespace makes another schema with another id; `/mode` is unknown.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::connector::http_call;
use crate::kafka::{free_port, repository};
use crate::process::{Process, command};
use crate::wait::wait_for_within;

/// The path of Confluent's API at Apicurio.
const API: &str = "/apis/ccompat/v7";
/// How long the registry may take to respond: its first start on a machine downloads 142 MB.
const START_LIMIT: Duration = Duration::from_secs(600);

/// A registry that this process has started. It is killed when this is dropped.
#[derive(Debug)]
pub struct Registry {
    address: String,
    folder: TempDir,
    process: Option<Process>,
}

impl Registry {
    /// Returns the registry that all tests of this process share, started on first use. Whoever changes anything but a
    /// subject of its own needs [`Registry::start`].
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Registry> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a registry and waits until it responds.
    ///
    /// # Panics
    /// Panics if the registry cannot be started or does not respond.
    pub fn start() -> Self {
        let mut registry = Self::prepare();
        registry.up();
        registry
    }

    /// Prepares a registry without starting it. Its URL is already known.
    ///
    /// # Panics
    /// Panics if no temporary folder can be created.
    pub fn prepare() -> Self {
        // Removes folders that killed processes have left behind. Failing to is harmless.
        let _ = std::process::Command::new(script()).arg("sweep").status();
        let prefix = format!("kvs-connect-registry-{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a temporary folder");
        Self { address: format!("127.0.0.1:{}", free_port()), folder, process: None }
    }

    /// Starts the registry, empty, and waits until it responds.
    ///
    /// # Panics
    /// Panics with the registry's output if the registry ends or does not respond.
    pub fn up(&mut self) {
        let port = self.address.rsplit(':').next().unwrap_or_default();
        let (log_file, url_file) = (self.folder.path().join("registry.out"), self.folder.path().join("url"));
        // The one of an earlier start would say that this one responds.
        let _ = std::fs::remove_file(&url_file);
        let log = std::fs::File::create(&log_file).expect("a log file");
        let mut start = command(script());
        start.arg("start").arg(self.folder.path()).arg(port).stdin(std::process::Stdio::null());
        start.stdout(log.try_clone().expect("a log file")).stderr(log);
        let mut process = Process::start(start);
        let mut failed = None;
        wait_for_within(START_LIMIT, "the registry to respond", || {
            failed = process.exit_code();
            failed.is_some() || url_file.exists()
        });
        if let Some(code) = failed {
            panic!("the registry ended with {code}: {}", std::fs::read_to_string(log_file).unwrap_or_default());
        }
        self.process = Some(process);
    }

    /// Kills the registry. What it knew is lost.
    pub fn down(&mut self) {
        self.process = None;
    }

    /// Returns the URL of Confluent's API, which is the value of `schema.registry.url`.
    pub fn url(&self) -> String {
        format!("http://{}{API}", self.address)
    }

    /// Returns `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Calls Confluent's API: `path` begins behind `url()` (`/subjects`). Returns the status and the response.
    ///
    /// # Panics
    /// Panics if nothing listens, or if the response is not JSON.
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let text = body.map(Value::to_string);
        let (status, response) = http_call(&self.address, method, &format!("{API}{path}"), text.as_deref())
            .unwrap_or_else(|| panic!("{method} {path}: no response of the registry"));
        let json = serde_json::from_str(&response);
        (status, json.unwrap_or_else(|error| panic!("{method} {path}: {error}: {response}")))
    }

    /// Registers a schema's text as it is and returns its id.
    ///
    /// # Panics
    /// Panics if the registry refuses the schema.
    pub fn register(&self, subject: &str, schema: &str) -> u32 {
        let (status, response) =
            self.call("POST", &format!("/subjects/{subject}/versions"), Some(&json!({ "schema": schema })));
        assert_eq!(status, 200, "{subject}: {response}");
        response["id"].as_u64().and_then(|id| u32::try_from(id).ok()).expect("an id")
    }

    /// Returns a subject's versions, or none if the registry does not know the subject.
    pub fn versions(&self, subject: &str) -> Vec<u64> {
        let (status, response) = self.call("GET", &format!("/subjects/{subject}/versions"), None);
        let versions = response.as_array().filter(|_| status == 200);
        versions.map(|versions| versions.iter().filter_map(Value::as_u64).collect()).unwrap_or_default()
    }

    /// Sets a subject's level of compatibility, such as `BACKWARD`, whether the subject exists already or not.
    ///
    /// # Panics
    /// Panics if the registry refuses the level.
    pub fn set_compatibility(&self, subject: &str, level: &str) {
        let (status, response) =
            self.call("PUT", &format!("/config/{subject}"), Some(&json!({ "compatibility": level })));
        assert_eq!(status, 200, "{subject}: {response}");
    }
}

fn script() -> std::path::PathBuf {
    repository().join("dev/registry/registry")
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
