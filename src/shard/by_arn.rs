//! Positions that earlier versions stored under a stream's ARN.
//!
//! **Contract.** A stream's position is stored under its name, however it is configured, so that a stream that was
//! configured by name and now is by ARN continues at its position. Until November 2026 it was stored under the
//! configured form; a key by ARN is in another shard than the key by name, which may be another worker's. Before a
//! stream with such a position is pulled, the position is *moved*: it is rewritten in its shard in a form that earlier
//! versions refuse (`version` 2), and that no version changes any more. This happens under that shard's fence, so that
//! its former owner has stopped for good and everything published is seen. From then on any worker may read it, any
//! number of times: of two positions of a stream the higher one counts. The shard of the name is written only by its
//! owner (rule 3).

use std::collections::HashMap;
use std::time::Duration;

use super::ShardLease;
use super::acquire::{Acquired, acquire};
pub use super::position_by_arn::PositionByArn;
use super::position_by_arn::moved_bytes;
use super::recover::{RecoverError, recover};
use super::unreadable::UnreadableRecord;
use crate::model::OffsetKey;
use crate::model::Record;
use crate::model::contract::Contract;
use crate::model::log::{ShardLog, write_transaction};
use crate::model::{ShardCount, ShardId};

/// A position found under an ARN, or why it cannot be read.
pub type FoundByArn = (OffsetKey, ShardId, Result<PositionByArn, UnreadableRecord>);

/// Finds the positions under ARNs in all shards, by the keys that they would have by name.
///
/// # Errors
/// As those of [`recover`].
pub fn find<L: ShardLog>(
    log: &L,
    contract: &Contract,
    shards: ShardCount,
    stall_timeout: Duration,
) -> Result<HashMap<OffsetKey, Vec<FoundByArn>>, RecoverError> {
    let mut found: HashMap<OffsetKey, Vec<FoundByArn>> = HashMap::new();
    for shard in (0..shards.get()).map(ShardId) {
        let recovered = log.with_reader(|reader| recover(reader, shard, contract, stall_timeout, &|| true))?;
        let readable = recovered.by_arn.into_iter().map(|(key, position)| (key, Ok(position)));
        let unreadable = recovered.unreadable.into_iter().map(|(key, reason)| (key, Err(reason)));
        for (key, position) in readable.chain(unreadable) {
            if let Some(by_name) = key.by_name() {
                found.entry(by_name).or_default().push((key, shard, position));
            }
        }
    }
    Ok(found)
}

/// Moves the positions under ARNs in a shard. The shard is acquired as by its owner, which fences the owner.
///
/// # Errors
/// When the shard cannot be acquired, or another worker acquired it meanwhile.
pub fn move_positions<L: ShardLog>(
    log: &L,
    contract: &Contract,
    shard: ShardId,
    stall_timeout: Duration,
) -> Result<(), RecoverError> {
    let Acquired { mut producer, recovered } = acquire(log, shard, contract, &ShardLease::default(), stall_timeout)?;
    let still: Vec<_> = recovered.by_arn.iter().filter(|(_, position)| !position.moved).collect();
    if still.is_empty() {
        return Ok(());
    }
    let topic = log.offsets_topic().into();
    let first = recovered.first_records(contract).into_iter();
    let moved = still.into_iter().filter_map(|(key, position)| {
        let name = key.by_name()?.stream;
        Some((key.to_bytes(), moved_bytes(&position.offset, &name)))
    });
    let records = first.chain(moved).map(|(key, value)| Record::of_log(&topic, shard, key, Some(value)));
    write_transaction(&mut producer, records)?;
    Ok(())
}

#[cfg(test)]
#[path = "by_arn_tests.rs"]
mod tests;
