//! Arguments that name a stream and the topic that has its fragments.

use clap::Args;
use kvs_client::Timestamp;

use super::connector_args::{ConnectorArgs, topic_of};
use super::export::{Source, Wanted};
use super::failure::Failure;

/// A stream in a topic.
#[derive(Args)]
pub(super) struct StreamArgs {
    #[command(flatten)]
    pub(super) connector: ConnectorArgs,
    /// The topic of the fragments; otherwise that of the connector.
    #[arg(long)]
    topic: Option<String>,
    /// The stream, by name.
    pub(super) stream: String,
}

impl StreamArgs {
    /// Opens the topic of the stream's fragments, from what the service received at this time on.
    pub(super) fn open(&self, from: Option<Timestamp>) -> Result<Source, Failure> {
        let worker = self.connector.load_worker()?;
        let connector = self.connector.load_if(self.topic.is_none(), &worker)?;
        let topic = topic_of(self.topic.as_ref(), connector.as_ref(), &self.stream)?;
        let wanted = Wanted { stream: self.stream.clone(), from, ..Wanted::default() };
        Source::topics(&worker, &[topic], connector.as_ref(), wanted)
    }
}
