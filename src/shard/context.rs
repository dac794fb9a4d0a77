//! What the owners of a worker's shards share: the log, the contract and the settings.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::transaction::TransactionLimits;
use crate::model::Contract;

/// How long a shard may be impossible to acquire before its streams report that.
const BLOCKED_AFTER: Duration = Duration::from_secs(20);

/// The settings of a shard's owner.
#[derive(Debug, Clone)]
pub struct OwnerSettings {
    /// Bounds of a transaction.
    pub transaction: TransactionLimits,
    /// The maximum number of publications that wait for the shard's thread.
    pub queue_fragments: usize,
    /// How long the recovery read may make no progress.
    pub stall_timeout: Duration,
    /// How long a released shard may take to finish; below the session timeout (rule 10).
    pub release_timeout: Duration,
    /// The maximum of the first delay before a lost shard is acquired again.
    pub reacquire_base: Duration,
    /// The maximum of every delay before a lost shard is acquired again.
    pub reacquire_cap: Duration,
    /// How long a shard may be impossible to acquire before its streams report that.
    pub blocked_after: Duration,
    /// Whether every shard of the topic has been written to: one without a contract has lost what was in it.
    pub begun: bool,
}

impl Default for OwnerSettings {
    fn default() -> Self {
        Self {
            transaction: TransactionLimits::default(),
            queue_fragments: 256,
            stall_timeout: Duration::from_secs(30),
            release_timeout: Duration::from_secs(5),
            reacquire_base: Duration::from_millis(200),
            reacquire_cap: Duration::from_secs(10),
            blocked_after: BLOCKED_AFTER,
            begun: false,
        }
    }
}

/// What the owners of a worker's shards share.
pub struct OwnerContext<L> {
    /// The log that stores the shards.
    pub log: Arc<L>,
    /// The contract of the offsets topic.
    pub contract: Contract,
    /// The settings of the owners.
    pub settings: OwnerSettings,
    /// For waiting on a queue from an owner's thread.
    pub runtime: Handle,
}

impl<L> Clone for OwnerContext<L> {
    fn clone(&self) -> Self {
        Self {
            log: Arc::clone(&self.log),
            contract: self.contract.clone(),
            settings: self.settings.clone(),
            runtime: self.runtime.clone(),
        }
    }
}
