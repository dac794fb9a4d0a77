//! A connector's streams, with one pulling task per stream.
//!
//! **Contract.** A [`LiveStreams`] pulls the streams of one shard from their positions into the shard's queue. It is
//! started at each acquisition of the shard and stopped at each loss; [`discovery`] adds and removes streams. A
//! stream that cannot continue is FAILED: it reports the reason, keeps its position, and disturbs no other stream.

mod backfill;
pub mod discovery;
mod hindrance;
mod live;
mod memory;
mod placing;
mod publish;
mod pulling;
mod silence;
pub mod state;
mod states;
mod task;
mod written_topics;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use kvs_client::{ArchiveBounds, Client, MemoryBudget, PullerConfig, StreamRef};
use tokio::sync::OnceCell;

pub use live::{LiveStreams, ShardStreams};
pub use state::{BACKFILL_TRACES, Reported, StreamState};
pub use states::StreamStates;
pub use written_topics::WrittenTopics;

use crate::config::RestartPolicy;
use crate::config::secrets::Resolved;
use crate::config::service_errors::explain;
use crate::kafka::TopicUnusable;
use crate::model::{OffsetKey, ShardId, StoredOffset};
use crate::output::{Outputs, StreamOutputs};
use crate::shard::UnreadableRecord;
use crate::shard::recover::RecoverError;

/// Looks up where streams were before their positions were stored under their names.
pub trait EarlierPositions: Send + Sync {
    /// Returns the position that a stream has elsewhere. `has_position`: whether it also has one under its name.
    ///
    /// # Errors
    /// When the position cannot be determined: the stream must not start then, or it would publish fragments a second time.
    fn position_of<'a>(
        &'a self,
        key: &'a OffsetKey,
        has_position: bool,
    ) -> BoxFuture<'a, Result<Option<StoredOffset>, EarlierPositionError>>;
}

/// Reasons why an earlier position cannot be determined.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EarlierPositionError {
    /// The stored position cannot be read.
    #[error(transparent)]
    Unreadable(#[from] UnreadableRecord),
    /// A shard of the offsets topic cannot be read or written at the moment.
    #[error("the stream's earlier position cannot be looked up: {source}")]
    Shard {
        /// Why not.
        source: Box<RecoverError>,
    },
    /// The position still changes, because the stream is also published under its ARN.
    #[error(
        "the stream's earlier position cannot be looked up: shard {shard}: a worker of an earlier version publishes the \
         stream under its ARN"
    )]
    StillPublished {
        /// The shard that has the position.
        shard: ShardId,
    },
}

/// What all streams of a connector share.
pub struct ConnectorContext {
    /// Calls the service.
    pub client: Arc<Client>,
    /// Memory for fragments in flight.
    pub budget: MemoryBudget,
    /// How streams are pulled.
    pub puller: PullerConfig,
    /// Looks up positions stored under other keys.
    pub earlier: Arc<dyn EarlierPositions>,
    /// After how long a silent stream is reported; `None`: never.
    pub silent_after: Option<Duration>,
    /// When failed streams are restarted.
    pub restart: RestartPolicy,
    /// The range of the archive to read, if the connector is a backfill.
    pub backfill: Option<ArchiveBounds>,
    /// Whether its streams are found by discovery, which also removes deleted ones.
    pub discovered: bool,
    /// What is published for its streams.
    pub outputs: Outputs,
    /// Hides the values that references resolved to.
    pub resolved: Resolved,
}

impl ConnectorContext {
    /// Returns an error's text as it may be shown, with the setting to change.
    fn shown(&self, error: &kvs_client::Error) -> String {
        self.resolved.hide(&explain(error))
    }
}

/// A stream of a connector.
pub struct StreamPlan {
    /// The key of its offset.
    pub key: Arc<OffsetKey>,
    /// The stream.
    pub stream: StreamRef,
    /// What it shares with the connector's other streams.
    pub context: Arc<ConnectorContext>,
    /// Its ARN, once known; an inner `None` means that it is not available to this connector.
    pub arn: OnceCell<Option<String>>,
}

impl StreamPlan {
    /// Returns the outputs that publish the stream from a position, with its partition in each topic.
    ///
    /// # Errors
    /// When a partition accepts no records at the moment, with the reason and what to do.
    fn outputs(&self, position: Option<&StoredOffset>) -> Result<StreamOutputs, TopicUnusable> {
        StreamOutputs::new(&self.context.outputs, Arc::clone(&self.key), self.stream.name(), position)
    }

    /// Returns the stream's ARN if it is configured or has been learned.
    fn known_arn(&self) -> Option<&str> {
        self.stream.arn().or_else(|| self.arn.get()?.as_deref())
    }
}
