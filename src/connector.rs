//! A connector's streams, and one pulling task a stream.
//!
//! **Contract.** A [`LiveStreams`] pulls the streams of one shard from their places into the shard's queue; it is
//! started at each taking of the shard and stopped at each loss, and streams come and go as [`discovery`] finds them. A
//! stream that cannot go on is FAILED: it says why, keeps its place, and disturbs no other.

mod backfill;
pub mod discovery;
mod hindrance;
mod live;
mod memory;
mod publish;
pub mod state;
mod states;
mod task;

use std::sync::Arc;

use futures::future::BoxFuture;
use kvs_client::{ArchiveBounds, Client, MemoryBudget, PullerConfig, StreamRef};
use tokio::sync::OnceCell;

pub use live::{LiveStreams, ShardStreams};
pub use state::{BACKFILL_TRACES, Reported, StreamState};
pub use states::StreamStates;

use crate::config::RestartPolicy;
use crate::config::secrets::Resolved;

use crate::kafka::DataTopic;
use crate::record::{KeyFormat, NotificationTopic, TimestampPolicy, ValueEncoder};
use crate::shard::{OffsetKey, StoredOffset, partition_for};

/// Knows where streams were before their places stood under their names.
pub trait EarlierPlaces: Send + Sync {
    /// Returns the place that a stream has elsewhere. `has_place`: whether it has one under its name, too.
    ///
    /// # Errors
    /// When it is not known: the stream must not begin then, or it would publish again what it has published.
    fn place_of<'a>(
        &'a self,
        key: &'a OffsetKey,
        has_place: bool,
    ) -> BoxFuture<'a, Result<Option<StoredOffset>, PlaceError>>;
}

/// Why it is not known where a stream was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// What is there cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// It cannot be asked for at the moment.
    #[error("it cannot be found out where the stream was: {0}")]
    Unavailable(String),
}

/// What the streams of a connector share.
pub struct ConnectorContext {
    /// Calls the service.
    pub client: Arc<Client>,
    /// Memory for what is in flight.
    pub budget: MemoryBudget,
    /// How streams are pulled.
    pub puller: PullerConfig,
    /// Where its streams were under other keys.
    pub earlier: Arc<dyn EarlierPlaces>,
    /// When streams that have failed are started again.
    pub restart: RestartPolicy,
    /// A part of the archive to read instead.
    pub backfill: Option<ArchiveBounds>,
    /// Whether its streams are found by discovery, which ends those that are no more.
    pub discovered: bool,
    /// Data topic.
    pub topic: Arc<str>,
    /// Its partitions, as they are now.
    pub partitions: Arc<DataTopic>,
    /// Where notifications go.
    pub notifications: NotificationTopic,
    /// How keys are written.
    pub key_format: KeyFormat,
    /// How values are written.
    pub encoder: Arc<dyn ValueEncoder>,
    /// Which time records get.
    pub timestamps: TimestampPolicy,
    /// Hides what references were resolved to.
    pub resolved: Resolved,
}

impl ConnectorContext {
    /// An error as it may be shown.
    fn shown(&self, error: &dyn std::fmt::Display) -> String {
        self.resolved.hide(&error.to_string())
    }
}

/// A stream of a connector.
pub struct StreamPlan {
    /// Key of its offset.
    pub key: Arc<OffsetKey>,
    /// The stream.
    pub stream: StreamRef,
    /// What it shares with the others.
    pub context: Arc<ConnectorContext>,
    /// Its ARN, once it is known; `None` in it: the connector may not ask.
    pub arn: OnceCell<Option<String>>,
}

impl StreamPlan {
    /// Returns the partition of the data topic that the stream's records go to: the one that is kept with its offset, else
    /// one by the number of partitions that the topic has now.
    ///
    /// # Errors
    /// When the partition takes no records at the moment, with the reason and what to do.
    pub fn data_partition(&self, position: Option<&StoredOffset>) -> Result<i32, String> {
        let context = &self.context;
        let kept = position.and_then(|position| position.partition_in(&context.topic));
        let partition = match kept {
            Some(kept) => kept,
            None => partition_for(self.stream.name().as_bytes(), context.partitions.count()?),
        };
        context.partitions.available(partition).map(|()| partition)
    }
}
