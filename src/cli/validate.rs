//! `kvs-connect validate`.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::output;
use super::worker_args::WorkerArgs;
use crate::config::connector::ConnectorFile;
use crate::config::{Problem, WorkerConfig, check, connector};
use crate::worker::clients;

/// Checks connectors.
#[derive(Args)]
#[command(after_help = "Reports every problem with file, key and reason, and exits with 78 if there is one.")]
pub(super) struct Validate {
    #[command(flatten)]
    worker: WorkerArgs,
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
        let (connectors, mut problems) = load_all(&self.connectors);
        let worker = match &self.worker.worker {
            None => None,
            Some(_) => match self.worker.load() {
                Ok(worker) => {
                    problems.extend(clients::problems(&worker));
                    Some(worker)
                }
                Err(found) => {
                    problems.extend(found);
                    None
                }
            },
        };
        problems.extend(check_all(worker.as_ref(), &connectors));
        if !problems.is_empty() {
            return Err(Failure::config(&problems));
        }
        for given in connectors {
            let (connector, resolved) = check::connector(worker.as_ref(), &given.place, &given.settings)
                .map_err(|problems| Failure::config(&problems))?;
            for note in connector.notes.iter().filter(|_| resolved.settings == given.settings) {
                output::print(format_args!("{}: {note}", connector.place))?;
            }
            output::print(format_args!(
                "{}: connector {:?} is valid: {} to topic {}",
                connector.place, connector.name, connector.streams, connector.topic
            ))?;
        }
        Ok(())
    }
}
