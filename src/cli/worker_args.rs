//! Arguments that several subcommands use for a worker's settings.

use std::path::PathBuf;

use clap::Args;

use super::setting::SettingParser;
use crate::config::{Problem, WorkerConfig, worker};

const BOOTSTRAP: &str = "bootstrap.servers";

/// The sources of a worker's settings.
#[derive(Args)]
pub(super) struct WorkerArgs {
    /// The worker's settings, in TOML, or in Java properties (*.properties).
    #[arg(long, value_name = "FILE")]
    pub(super) worker: Option<PathBuf>,
    /// Kafka brokers; the same as --set bootstrap.servers=…
    #[arg(long, value_name = "HOST:PORT,…")]
    pub(super) bootstrap_servers: Option<String>,
    /// One worker setting, overriding all other sources. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = SettingParser, hide_possible_values = true)]
    pub(super) settings: Vec<(String, String)>,
}

impl WorkerArgs {
    /// Returns whether any of these arguments is given.
    pub(super) fn is_given(&self) -> bool {
        self.worker.is_some() || self.bootstrap_servers.is_some() || !self.settings.is_empty()
    }

    /// Loads the settings.
    ///
    /// # Errors
    /// All problems found.
    pub(super) fn load(&self) -> Result<WorkerConfig, Vec<Problem>> {
        let mut flags = self.settings.clone();
        if let Some(servers) = &self.bootstrap_servers {
            flags.push((BOOTSTRAP.to_owned(), servers.clone()));
        }
        worker::load(self.worker.as_deref(), &flags).map_err(|mut problems| {
            for problem in
                problems.iter_mut().filter(|problem| problem.key == BOOTSTRAP && problem.reason == "is required")
            {
                problem.reason.push_str("; pass it with --bootstrap-servers HOST:PORT, or in the file of --worker");
            }
            problems
        })
    }
}
