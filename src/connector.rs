//! A connector's streams, and one pulling task a stream.
//!
//! **Contract.** A [`LiveStreams`] pulls the streams of one shard from their places into the shard's queue; it is
//! started at each taking of the shard and stopped at each loss, and streams come and go as [`discovery`] finds them. A
//! stream that cannot go on is FAILED: it says why, keeps its place, and disturbs no other.

mod backfill;
pub mod discovery;
mod live;
mod memory;
mod publish;
pub mod state;
mod task;

use std::sync::Arc;

use kvs_client::{ArchiveRange, Client, MemoryBudget, PullerConfig, StreamRef};
use tokio::sync::OnceCell;

pub use live::{LiveStreams, ShardStreams};
pub use state::{StreamState, StreamStates};

use crate::config::RestartPolicy;
use crate::config::secrets::Resolved;

use crate::record::{KeyFormat, NotificationTopic, TimestampPolicy, ValueEncoder};
use crate::shard::OffsetKey;

/// What the streams of a connector share.
pub struct ConnectorContext {
    /// Calls the service.
    pub client: Arc<Client>,
    /// Memory for what is in flight.
    pub budget: MemoryBudget,
    /// How streams are pulled.
    pub puller: PullerConfig,
    /// When streams that have failed are started again.
    pub restart: RestartPolicy,
    /// A range of the archive to read instead.
    pub backfill: Option<ArchiveRange>,
    /// Whether its streams are found by discovery, which ends those that are no more.
    pub discovered: bool,
    /// Data topic.
    pub topic: Arc<str>,
    /// How many partitions it has.
    pub topic_partitions: i32,
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
