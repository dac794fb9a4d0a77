//! A connector's streams, and one pulling task a stream.
//!
//! **Contract.** A [`LiveStreams`] pulls the streams of one shard from their positions into the shard's queue; it is
//! started at each acquisition of the shard and stopped at each loss, and streams come and go as [`discovery`] finds them. A
//! stream that cannot go on is FAILED: it says why, keeps its position, and disturbs no other.

mod backfill;
pub mod discovery;
mod hindrance;
mod live;
mod memory;
mod publish;
mod pulling;
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
use crate::config::service_errors::explain;

use crate::kafka::TopicUnusable;
use crate::model::{OffsetKey, StoredOffset};
use crate::output::{Outputs, StreamOutputs};

/// Knows where streams were before their positions stood under their names.
pub trait EarlierPositions: Send + Sync {
    /// Returns the position that a stream has elsewhere. `has_position`: whether it has one under its name, too.
    ///
    /// # Errors
    /// When it is not known: the stream must not begin then, or it would publish again what it has published.
    fn position_of<'a>(
        &'a self,
        key: &'a OffsetKey,
        has_position: bool,
    ) -> BoxFuture<'a, Result<Option<StoredOffset>, EarlierPositionError>>;
}

/// Why it is not known where a stream was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EarlierPositionError {
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
    pub earlier: Arc<dyn EarlierPositions>,
    /// When streams that have failed are started again.
    pub restart: RestartPolicy,
    /// A part of the archive to read instead.
    pub backfill: Option<ArchiveBounds>,
    /// Whether its streams are found by discovery, which ends those that are no more.
    pub discovered: bool,
    /// What is published of its streams.
    pub outputs: Outputs,
    /// Hides what references were resolved to.
    pub resolved: Resolved,
}

impl ConnectorContext {
    /// An error as it may be shown, with the setting that it asks to change.
    fn shown(&self, error: &kvs_client::Error) -> String {
        self.resolved.hide(&explain(error))
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
    /// Returns what publishes the stream from a position: its outputs, with its partition in each topic.
    ///
    /// # Errors
    /// When a partition takes no records at the moment, with the reason and what to do.
    fn outputs(&self, position: Option<&StoredOffset>) -> Result<StreamOutputs, TopicUnusable> {
        StreamOutputs::new(&self.context.outputs, Arc::clone(&self.key), self.stream.name(), position)
    }

    /// Returns the stream's ARN, where it is configured or has been learned.
    fn known_arn(&self) -> Option<&str> {
        self.stream.arn().or_else(|| self.arn.get()?.as_deref())
    }
}
