//! `kvs-connect validate`.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, WorkerArgs};
use crate::config::{ConnectorConfig, Problem, check, connector};

/// Checks connectors.
#[derive(Args)]
#[command(after_help = "Says every problem with file, key and reason, and exits with 78 when there is one.")]
pub(super) struct Validate {
    #[command(flatten)]
    worker: WorkerArgs,
    /// Connectors in Connect's JSON.
    #[arg(required = true, value_name = "CONNECTOR.json")]
    connectors: Vec<PathBuf>,
}

/// Reads connectors; all problems of all files.
pub(super) fn load_all(files: &[PathBuf]) -> (Vec<ConnectorConfig>, Vec<Problem>) {
    let (mut connectors, mut problems) = (Vec::new(), Vec::new());
    for file in files {
        match connector::load(file) {
            Ok(connector) => connectors.push(connector),
            Err(found) => problems.extend(found),
        }
    }
    (connectors, problems)
}

impl Validate {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let (connectors, mut problems) = load_all(&self.connectors);
        let worker = match &self.worker.worker {
            None => None,
            Some(_) => match self.worker.load() {
                Ok(worker) => Some(worker),
                Err(found) => {
                    problems.extend(found);
                    None
                }
            },
        };
        problems.extend(check::together(worker.as_ref(), &connectors));
        if !problems.is_empty() {
            return Err(Failure::config(&problems));
        }
        for connector in connectors {
            println!(
                "{}: connector {:?} is valid: {} to topic {}",
                connector.place, connector.name, connector.streams, connector.topic
            );
        }
        Ok(())
    }
}
