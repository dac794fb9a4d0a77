//! `kvs-connect validate`.

use std::path::PathBuf;

use clap::Args;

use super::brokers;
use super::failure::{EXIT_CONFIG, EXIT_UNAVAILABLE, Failure};
use super::output;
use super::worker_args::WorkerArgs;
use crate::config::connector::ConnectorFile;
use crate::config::secrets::Resolved;
use crate::config::{ConnectorConfig, Problem, WorkerConfig, check, connector};
use crate::worker::{clients, connections};

/// Printed at the end when only the settings were checked.
const NOT_TRIED: &str = "Connections were not tried: --connect (with --worker FILE, or --bootstrap-servers) also tries Kafka, \
    the topics, the schema registry, the AWS credentials, the streams and the store of payloads.";
/// Printed at the end when connections were tried, too.
const TRIED: &str = "Connections were tried: Kafka, the service, and the schema registry and the store of payloads if there are any, refuse nothing.";

/// Checks connectors.
#[derive(Args)]
#[command(after_help = "\
Reports every problem with file, key and reason, and exits with 78 if there is one. With --connect it also exits with 69 if \
Kafka cannot be reached. --connect uses the AWS credentials of this user and this machine, which may not be the worker's; \
a running worker tries its own: PUT /connector-plugins/KinesisVideoSourceConnector/config/validate?connect=true.
  kvs-connect validate --connect --worker worker.toml connectors/demo.json")]
pub(super) struct Validate {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Also try Kafka, the topics, the schema registry, the AWS credentials, the streams and the store of payloads, in which
    /// a small object is written and removed again. Creates nothing else.
    #[arg(long)]
    connect: bool,
    /// Connectors in Connect's JSON, or in Java properties (*.properties).
    #[arg(required = true, value_name = "CONNECTOR.json")]
    connectors: Vec<PathBuf>,
}

/// Reads connectors' files; returns all problems of all files.
pub(super) fn load_all(files: &[PathBuf]) -> (Vec<ConnectorFile>, Vec<Problem>) {
    let (mut connectors, mut problems) = (Vec::new(), Vec::new());
    for file in files {
        match connector::load(file) {
            Ok(connector) => connectors.push(connector),
            Err(found) => problems.extend(found),
        }
    }
    problems.extend(check::names(&connectors));
    (connectors, problems)
}

/// Returns the problems of connectors' settings, for a given worker or for any.
pub(super) fn check_all(worker: Option<&WorkerConfig>, connectors: &[ConnectorFile]) -> Vec<Problem> {
    let check = |given: &ConnectorFile| check::connector(worker, &given.place, &given.settings).err();
    connectors.iter().filter_map(check).flatten().collect()
}

impl Validate {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let (given, mut problems) = load_all(&self.connectors);
        let mut worker = None;
        if self.connect || self.worker.is_given() {
            match self.worker.load() {
                Ok(loaded) => {
                    problems.extend(clients::problems(&loaded));
                    worker = Some(loaded);
                }
                Err(found) => problems.extend(found),
            }
        }
        problems.extend(check_all(worker.as_ref(), &given));
        if !problems.is_empty() {
            return Err(Failure::config(&problems));
        }
        let mut connectors = Vec::with_capacity(given.len());
        for file in &given {
            let (connector, resolved) = check::connector(worker.as_ref(), &file.place, &file.settings)
                .map_err(|problems| Failure::config(&problems))?;
            for note in connector.notes.iter().filter(|_| resolved.settings == file.settings) {
                output::print(format_args!("{}: {note}", connector.place))?;
            }
            connectors.push((connector, resolved));
        }
        if let Some(worker) = worker.filter(|_| self.connect) {
            connect(worker, &connectors)?;
        }
        for (connector, _) in &connectors {
            output::print(format_args!(
                "{}: connector {:?} is valid: {} to topic {}",
                connector.place,
                connector.name,
                connector.streams,
                connector.topic.text()
            ))?;
        }
        output::print(if self.connect { TRIED } else { NOT_TRIED })
    }
}

/// Tries the connectors with Kafka and the service.
///
/// # Errors
/// What they refuse, and that Kafka cannot be reached.
fn connect(worker: WorkerConfig, connectors: &[(ConnectorConfig, Resolved)]) -> Result<(), Failure> {
    let bootstrap_servers = worker.bootstrap_servers.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(EXIT_UNAVAILABLE, format!("no runtime: {error}")))?;
    let tried = runtime.block_on(connections::try_all(worker, connectors));
    // Threads that wait for Kafka are not waited for.
    runtime.shutdown_background();
    let tried = tried.map_err(|error| Failure::new(EXIT_CONFIG, error))?;
    let refused = (!tried.problems.is_empty()).then(|| Failure::config(&tried.problems));
    let unreachable = tried.kafka.map(|reason| brokers::unreachable(&bootstrap_servers, &reason));
    match (unreachable, refused) {
        (None, None) => Ok(()),
        // Wrong settings decide the exit code: waiting for Kafka does not mend them.
        (unreachable, Some(refused)) => Err(refused.after(unreachable)),
        (Some(unreachable), None) => Err(unreachable),
    }
}
