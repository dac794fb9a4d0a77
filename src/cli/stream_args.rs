//! Arguments that name a stream and the topic that has its fragments.

use clap::Args;
use kvs_client::Timestamp;

use super::connector_args::{ConnectorArgs, topic_of};
use super::export::{Source, Wanted};
use super::failure::Failure;
use super::remote::Remote;
use super::worker_args::WorkerArgs;

/// A stream in a topic.
#[derive(Args)]
pub(super) struct StreamArgs {
    #[command(flatten)]
    pub(super) connector: ConnectorArgs,
    #[command(flatten)]
    pub(super) worker: WorkerArgs,
    #[command(flatten)]
    pub(super) remote: Remote,
    /// The topic of the fragments; otherwise that of the connector.
    #[arg(long)]
    pub(super) topic: Option<String>,
    /// The stream, by name.
    pub(super) stream: String,
}

impl StreamArgs {
    /// Opens the topic of the stream's fragments, from what the service received at this time on.
    pub(super) fn open(&self, from: Option<Timestamp>) -> Result<Source, Failure> {
        let worker = self.worker.load().map_err(|problems| Failure::config(&problems))?;
        let connector = match self.connector.is_given() || self.topic.is_none() {
            true => Some(self.connector.load(&worker, &self.remote)?.0),
            false => None,
        };
        let topic = topic_of(self.topic.as_ref(), connector.as_ref())?;
        let wanted = Wanted { stream: self.stream.clone(), from, ..Wanted::default() };
        Source::topics(&worker, &[topic], connector.as_ref(), wanted)
    }
}
