//! What the beginnings of an offsets topic's shards say, before any of them is acquired.
//!
//! **Contract.** The number of shards is what the topic's contract says (rule 9), not the number of its partitions:
//! partitions may be added to any topic at any time, and a stream stays in its shard. Nothing that is found here decides
//! about offsets: each acquisition of a shard reads it again, after init.

use std::time::{Duration, Instant};

use crate::model::contract::{CONTRACT_KEY, Contract, ContractError};
use crate::model::log::Bounds;
use crate::model::{LogError, LogErrorKind, OffsetReader, ShardCount, ShardId};

/// How long a topic that was just created may have no leaders.
const NEW_TOPIC_TIMEOUT: Duration = Duration::from_secs(15);
/// How long to look for the contract in a shard.
const FIRST_RECORD_TIMEOUT: Duration = Duration::from_secs(5);

/// The beginning of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// Where the shard begins and ends.
    pub bounds: Bounds,
    /// The first contract in it.
    pub contract: Option<Vec<u8>>,
}

impl Beginning {
    /// Returns whether the shard has been begun by a group: it has a contract, or had one that was deleted with the
    /// shard's first records.
    pub fn is_begun(&self) -> bool {
        self.contract.is_some() || self.bounds.start > 0
    }
}

/// Reasons why it is not known how many shards a topic has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgreedError {
    /// The topic cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Its contract cannot be read, or differs from this worker's.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The topic has fewer partitions than shards.
    #[error(
        "it had {was} partitions and has {now}: it was deleted and recreated, and the positions of streams are lost with it"
    )]
    Fewer {
        /// The number of shards.
        was: i32,
        /// The number of partitions.
        now: i32,
    },
}

/// Returns the beginning of a shard. The first transaction wrote a contract; one with fewer fields was completed later.
///
/// # Errors
/// When the shard cannot be read.
pub fn beginning(reader: &mut impl OffsetReader, shard: ShardId) -> Result<Beginning, LogError> {
    let bounds = reader.bounds(shard)?;
    let without = Beginning { bounds, contract: None };
    if bounds.start >= bounds.end {
        return Ok(without);
    }
    reader.seek(shard, bounds.start)?;
    let began = Instant::now();
    // A transaction may be open on the shard; then the acquisition checks.
    while reader.position()? < bounds.end && began.elapsed() < FIRST_RECORD_TIMEOUT {
        if let Some(record) = reader.poll()?
            && record.key == CONTRACT_KEY
        {
            return Ok(Beginning { contract: record.value, ..without });
        }
    }
    Ok(without)
}

/// Returns the number of shards that the group has agreed on for a topic with this many partitions: that in the first
/// contract found. `None`: no shard has a contract.
///
/// # Errors
/// When the topic cannot be read, belongs to another group, or has fewer partitions than shards.
pub fn agreed_count(
    reader: &mut impl OffsetReader,
    partitions: ShardCount,
    ours: &Contract,
) -> Result<Option<ShardCount>, AgreedError> {
    for shard in (0..partitions.get()).map(ShardId) {
        let Some(contract) = patiently(|| beginning(reader, shard))?.contract else { continue };
        let found = Contract::read(&contract)?;
        Contract { partitions: None, ..ours.clone() }.agrees(&found, "offset.storage.topic")?;
        let Some(count) = found.partitions.and_then(ShardCount::new) else { continue };
        if count.get() > partitions.get() {
            return Err(AgreedError::Fewer { was: count.get(), now: partitions.get() });
        }
        return Ok(Some(count));
    }
    Ok(None)
}

/// Calls `ask` until it succeeds, for a while, because a topic that was just created has no leaders yet. Blocks.
///
/// # Errors
/// That of the last call.
pub fn patiently<T>(mut ask: impl FnMut() -> Result<T, LogError>) -> Result<T, LogError> {
    let began = Instant::now();
    loop {
        match ask() {
            Err(error) if error.kind != LogErrorKind::NotAuthorized && began.elapsed() < NEW_TOPIC_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(50));
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
#[path = "beginning_tests.rs"]
mod tests;
