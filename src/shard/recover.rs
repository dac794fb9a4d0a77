//! The recovery read: where each stream of a shard is.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::contract::{CONTRACT_KEY, Contract, ContractError};
use super::id::ShardId;
use super::log::{LogError, OffsetReader};
use super::offset::{OffsetKey, StoredOffset};

/// The offsets of a shard's streams.
pub type Positions = HashMap<OffsetKey, StoredOffset>;

/// What a shard's partition says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The streams' offsets.
    pub positions: Positions,
    /// Whether the topic's contract is there.
    pub has_contract: bool,
}

/// Why a shard cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The topic is bound to something else.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// An offset cannot be read; taking it for none would publish the stream again.
    #[error("the offset of {key} cannot be read ({reason}): alter it, or delete it to start anew")]
    BadOffset {
        /// Its key, as text.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The log became shorter than it was when the read began.
    #[error(
        "no progress for {stalled_s} s at offset {position}: the log was truncated, it ends at {end} and ended at \
         {target} before; look for an unclean leader election"
    )]
    Truncated {
        /// How long nothing moved, in seconds.
        stalled_s: u64,
        /// Where the read stands.
        position: i64,
        /// Where the log ends now.
        end: i64,
        /// Where it ended.
        target: i64,
    },
    /// A transaction on the partition is never decided.
    #[error(
        "no progress for {stalled_s} s at offset {position} of {target}: a transaction hangs on the partition; find it \
         with kafka-transactions.sh find-hanging, and abort it"
    )]
    HangingTransaction {
        /// How long nothing moved, in seconds.
        stalled_s: u64,
        /// Where the read stands.
        position: i64,
        /// Where the log ended.
        target: i64,
    },
    /// The shard was released meanwhile.
    #[error("the shard was released")]
    Released,
}

/// Reads a shard up to the end it has now.
///
/// The target is the read_uncommitted end, taken after init (rules 1 and 2); what is compared is the position, which
/// passes over markers and aborted records (rule 11).
///
/// # Errors
/// As [`RecoverError`] says; without progress for `stall_timeout` loudly (rule 8).
pub fn recover(
    reader: &mut impl OffsetReader,
    shard: ShardId,
    contract: &Contract,
    stall_timeout: Duration,
    held: &dyn Fn() -> bool,
) -> Result<Recovered, RecoverError> {
    let bounds = reader.bounds(shard)?;
    let target = bounds.end;
    let mut recovered = Recovered::default();
    if bounds.start >= target {
        return Ok(recovered);
    }
    reader.seek(shard, bounds.start)?;
    let mut position = bounds.start;
    let mut progressed = Instant::now();
    while position < target {
        if !held() {
            return Err(RecoverError::Released);
        }
        if let Some(record) = reader.poll()? {
            apply(&mut recovered, contract, &record.key, record.value.as_deref())?;
        }
        let now_at = reader.position()?;
        if now_at > position {
            position = now_at;
            progressed = Instant::now();
        } else if progressed.elapsed() >= stall_timeout {
            let stalled_s = progressed.elapsed().as_secs();
            let end = reader.bounds(shard)?.end;
            return Err(if end < target {
                RecoverError::Truncated { stalled_s, position, end, target }
            } else {
                RecoverError::HangingTransaction { stalled_s, position, target }
            });
        }
    }
    Ok(recovered)
}

fn apply(recovered: &mut Recovered, contract: &Contract, key: &[u8], value: Option<&[u8]>) -> Result<(), RecoverError> {
    if key == CONTRACT_KEY {
        if let Some(value) = value {
            contract.check(value)?;
        }
        recovered.has_contract = value.is_some();
        return Ok(());
    }
    let Some(offset_key) = OffsetKey::from_bytes(key) else {
        // Somebody else's, or a later version's: no stream of ours.
        tracing::warn!(key = %String::from_utf8_lossy(key), "a key of the offsets topic is not known and passed over");
        return Ok(());
    };
    match value {
        None => recovered.positions.remove(&offset_key),
        Some(value) => {
            let offset = StoredOffset::from_bytes(value)
                .map_err(|reason| RecoverError::BadOffset { key: String::from_utf8_lossy(key).into_owned(), reason })?;
            recovered.positions.insert(offset_key, offset)
        }
    };
    Ok(())
}
