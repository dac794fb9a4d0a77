//! Arguments that several subcommands use to name a connector and get its settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use reqwest::Method;

use super::failure::{EXIT_CONFIG, EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use super::remote::Remote;
use super::worker_args::WorkerArgs;
use crate::config::connector::{self, ConnectorFile};
use crate::config::{ConnectorConfig, WorkerConfig, check};
use crate::model::Variable;

/// Which connector, the worker whose Kafka it uses, and a worker to ask.
#[derive(Args)]
pub(super) struct ConnectorArgs {
    /// The connector, whose settings a worker is asked for (--url).
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    connector: Option<String>,
    /// The connector's settings, in Connect's JSON, or in Java properties (*.properties).
    #[arg(long, value_name = "CONNECTOR.json")]
    file: Option<PathBuf>,
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    remote: Remote,
}

impl ConnectorArgs {
    /// Returns whether the command is to print JSON.
    pub(super) fn json(&self) -> bool {
        self.remote.json
    }

    /// Returns the worker's settings.
    pub(super) fn load_worker(&self) -> Result<WorkerConfig, Failure> {
        self.worker.load().map_err(|problems| Failure::config(&problems))
    }

    /// Returns the connector's settings if one is named, or has to be.
    pub(super) fn load_if(&self, is_needed: bool, worker: &WorkerConfig) -> Result<Option<ConnectorConfig>, Failure> {
        let is_given = self.connector.is_some() || self.file.is_some();
        if is_given || is_needed { self.load(worker).map(Some) } else { Ok(None) }
    }

    /// Returns the connector's settings for a command that does not need Kafka. A worker's settings may be given for their
    /// `config.providers`.
    pub(super) fn load_without_kafka(&self) -> Result<ConnectorConfig, Failure> {
        if self.worker.is_given() {
            return self.load(&self.load_worker()?);
        }
        self.load_checked(self.worker.load().ok().as_ref())
    }

    /// Returns the connector's settings, with references to secrets resolved on this machine.
    pub(super) fn load(&self, worker: &WorkerConfig) -> Result<ConnectorConfig, Failure> {
        self.load_checked(Some(worker))
    }

    fn load_checked(&self, worker: Option<&WorkerConfig>) -> Result<ConnectorConfig, Failure> {
        let given = match (&self.file, &self.connector) {
            (Some(file), _) => connector::load(file).map_err(|problems| Failure::config(&problems))?,
            (None, Some(name)) => of_worker(name, &self.remote)?,
            (None, None) => {
                let line =
                    "which connector? --connector NAME asks a worker (--url), --file CONNECTOR.json reads its settings";
                return Err(Failure::new(EXIT_USAGE, line));
            }
        };
        let checked = check::connector(worker, &given.place, &given.settings);
        checked.map(|(connector, _)| connector).map_err(|problems| Failure::config(&problems))
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
    let mut settings: BTreeMap<String, String> =
        members.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    settings.entry("name".to_owned()).or_insert_with(|| name.to_owned());
    Ok(ConnectorFile { place: format!("connector {name}"), settings })
}

/// Returns the topic that is named, or that of the connector for this stream.
pub(super) fn topic_of(
    topic: Option<&String>,
    connector: Option<&ConnectorConfig>,
    stream: &str,
) -> Result<String, Failure> {
    match (topic, connector) {
        (Some(topic), _) => Ok(topic.clone()),
        (None, Some(connector)) => {
            let rendered = connector.topic.render(|variable| match variable {
                Variable::Connector => Some(connector.name.as_str().into()),
                Variable::Stream => Some(stream.into()),
                Variable::Track | Variable::Tag(_) => None,
            });
            rendered.map_err(|variable| {
                let line = format!(
                    "topic is {:?}: {variable} differs, so name the topic with --topic",
                    connector.topic.text()
                );
                Failure::new(EXIT_CONFIG, line)
            })
        }
        (None, None) => Err(Failure::new(EXIT_USAGE, "--topic or a connector (--connector, --file) is required")),
    }
}
