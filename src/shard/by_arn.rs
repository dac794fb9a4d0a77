//! Places that earlier versions kept under a stream's ARN.
//!
//! **Contract.** A stream's position stands under its name, however it is configured, so that a stream which was configured by
//! name and is now by ARN goes on where it was. Until November 2026 it stood under what was configured; a key by ARN lies
//! in another shard than that by name, which may be another worker's. Before a stream is pulled that has such a position,
//! the position is *moved*: under the fence of the shard it lies in, so that whoever published under it has stopped for good
//! and all that was published is seen, it is written there in a form that earlier versions refuse (`version` 2), and that no
//! version changes any more. From then on anybody may read it, as often as need be: of two positions of a stream the higher one
//! counts. The shard of the name is written by nobody but its owner (rule 3).

use std::collections::HashMap;
use std::time::Duration;

use super::ShardLease;
use super::acquire::{Acquired, acquire};
pub use super::position_by_arn::PositionByArn;
use super::position_by_arn::moved_bytes;
use super::recover::{RecoverError, recover};
use crate::model::OffsetKey;
use crate::model::Record;
use crate::model::contract::Contract;
use crate::model::log::{ShardLog, write_transaction};
use crate::model::{ShardCount, ShardId};

/// A position under an ARN that was found, or why it cannot be read.
pub type FoundByArn = (OffsetKey, ShardId, Result<PositionByArn, String>);

/// Looks through all shards for positions under ARNs; by the key that they are to have.
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
        let readable = recovered.by_arn.into_iter().map(|(key, place)| (key, Ok(place)));
        let unreadable = recovered.unreadable.into_iter().map(|(key, reason)| (key, Err(reason)));
        for (key, place) in readable.chain(unreadable) {
            if let Some(by_name) = key.by_name() {
                found.entry(by_name).or_default().push((key, shard, place));
            }
        }
    }
    Ok(found)
}

/// Moves the positions under ARNs that lie in a shard: takes it as its owner does, which fences that.
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
    let still: Vec<_> = recovered.by_arn.iter().filter(|(_, place)| !place.moved).collect();
    if still.is_empty() {
        return Ok(());
    }
    let topic = log.offsets_topic().into();
    let first = recovered.first_records(contract).into_iter();
    let moved = still.into_iter().filter_map(|(key, place)| {
        let name = key.by_name()?.stream;
        Some((key.to_bytes(), moved_bytes(&place.offset, &name)))
    });
    let records = first.chain(moved).map(|(key, value)| Record::of_log(&topic, shard, key, Some(value)));
    write_transaction(&mut producer, records)?;
    Ok(())
}

#[cfg(test)]
#[path = "by_arn_tests.rs"]
mod tests;
