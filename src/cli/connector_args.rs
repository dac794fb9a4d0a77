//! Arguments that several subcommands use to name a connector and get its settings.

use std::path::PathBuf;

use clap::Args;
use reqwest::Method;

use super::failure::{EXIT_CONFIG, EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use super::remote::Remote;
use crate::config::connector::{self, ConnectorFile};
use crate::config::secrets::Resolved;
use crate::config::{ConnectorConfig, WorkerConfig, check};

/// Which connector.
#[derive(Args)]
pub(super) struct ConnectorArgs {
    /// The connector, whose settings a worker is asked for (--url).
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    connector: Option<String>,
    /// The connector's settings, in Connect's JSON, or in Java properties (*.properties).
    #[arg(long, value_name = "CONNECTOR.json")]
    file: Option<PathBuf>,
}

impl ConnectorArgs {
    /// Returns whether a connector is named.
    pub(super) fn is_given(&self) -> bool {
        self.connector.is_some() || self.file.is_some()
    }

    /// Returns the connector's settings, with references to secrets resolved on this machine.
    pub(super) fn load(&self, worker: &WorkerConfig, remote: &Remote) -> Result<(ConnectorConfig, Resolved), Failure> {
        let given = match (&self.file, &self.connector) {
            (Some(file), _) => connector::load(file).map_err(|problems| Failure::config(&problems))?,
            (None, Some(name)) => of_worker(name, remote)?,
            (None, None) => {
                let line =
                    "which connector? --connector NAME asks a worker (--url), --file CONNECTOR.json reads its settings";
                return Err(Failure::new(EXIT_USAGE, line));
            }
        };
        check::connector(Some(worker), &given.place, &given.settings).map_err(|problems| Failure::config(&problems))
    }
}

fn of_worker(name: &str, remote: &Remote) -> Result<ConnectorFile, Failure> {
    let answer = remote.connect()?.call(Method::GET, &["connectors", name, "config"], "", None)?;
    let Some(members) = answer.as_object() else {
        return Err(Failure::new(
            EXIT_UNAVAILABLE,
            format!("connector {name}: the worker's answer is not its settings"),
        ));
    };
    let text = |value: &serde_json::Value| connector::setting_text(value).unwrap_or_default();
    let mut settings: std::collections::BTreeMap<String, String> =
        members.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    settings.entry("name".to_owned()).or_insert_with(|| name.to_owned());
    Ok(ConnectorFile { place: format!("connector {name}"), settings })
}

/// Returns the topic that is named, or that of the connector.
pub(super) fn topic_of(topic: Option<&String>, connector: Option<&ConnectorConfig>) -> Result<String, Failure> {
    match (topic, connector) {
        (Some(topic), _) => Ok(topic.clone()),
        (None, Some(connector)) => connector.topic.fixed().map(str::to_owned).ok_or_else(|| {
            let line = format!("topic is {:?}: name the topic of the stream with --topic", connector.topic.text());
            Failure::new(EXIT_CONFIG, line)
        }),
        (None, None) => Err(Failure::new(EXIT_USAGE, "--topic or a connector (--connector, --file) is required")),
    }
}
