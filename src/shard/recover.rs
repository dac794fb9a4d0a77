//! The recovery read: where each stream of a shard is.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::gate::ConfigOffset;
use super::position_by_arn::PositionByArn;
use crate::logging::shown;
use crate::model::ShardId;
use crate::model::contract::{CONTRACT_KEY, Contract, ContractError};
use crate::model::log::{Bounds, LogError, LogErrorKind, OffsetReader};
use crate::model::sequence::{self, Sequences};
use crate::model::{ID_SCHEME_KEY, IdScheme};
use crate::model::{OffsetKey, StoredOffset};
use crate::supervision::fault_point_in;

/// The offsets of a shard's streams.
pub type Positions = HashMap<OffsetKey, StoredOffset>;

/// The reserved key under which whoever alters offsets leaves the offset of the config log that an owner must have
/// applied before it pulls: an owner that has not heard yet that a connector is STOPPED would undo the change.
pub const CONFIG_OFFSET_KEY: &[u8] = br#"["kvs-connect-config-place"]"#;

/// The reserved key under which a shard that connectors were moved to keeps the highest lease epoch of the shards they came
/// from. Its own epochs are counted from there, so that what is reported of a task under a later lease always has a higher
/// epoch, whatever topic the lease was in.
pub const EPOCH_BASE_KEY: &[u8] = br#"["kvs-connect-lease-epoch-base"]"#;

/// How often it is looked whether a seek is in force.
const SEEK_LOOK_EVERY: Duration = Duration::from_micros(200);

/// What a shard's partition says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The streams' offsets.
    pub positions: Positions,
    /// Whether the topic's contract is there, and says all that is known here.
    pub has_contract: bool,
    /// The form of the shard's transactional id, where its first transaction said it.
    pub id_scheme: Option<IdScheme>,
    /// Streams whose offsets cannot be read, with the reason: taking them for none would publish the streams again.
    pub unreadable: HashMap<OffsetKey, String>,
    /// Places under ARNs, by those keys.
    pub by_arn: HashMap<OffsetKey, PositionByArn>,
    /// The sequence of each stream's last fragment, of streams without an offset too.
    pub sequences: Sequences,
    /// The place of the config log that has to be applied before anything is pulled. When it cannot be read, the reason:
    /// taking it for none would let an owner that has not heard of a change undo it.
    pub config_offset: Option<Result<ConfigOffset, String>>,
    /// What the shard's epochs are counted from ([`EPOCH_BASE_KEY`]); zero where no connector was moved to it.
    pub epoch_base: i64,
    /// The end of the partition when it was read, counted from [`EPOCH_BASE_KEY`]'s: it grows from one acquisition to the
    /// next, and so orders them.
    pub lease_epoch: i64,
    /// Where the partition begins when its first records are gone and the contract with them: compaction moves no
    /// start, so they were deleted. Streams without a place in it may have had one.
    pub emptied: Option<i64>,
}

impl Recovered {
    /// Returns the form of the transactional id that the shard is written under. One that nothing was written to has the
    /// form of this version.
    pub fn id_scheme(&self) -> IdScheme {
        match self.id_scheme {
            Some(scheme) => scheme,
            None if self.has_contract => IdScheme::Dashes,
            None => IdScheme::default(),
        }
    }

    /// Returns the later one of a config offset and the one that the shard waits for already.
    pub fn highest_config_offset(&self, other: &ConfigOffset) -> ConfigOffset {
        match &self.config_offset {
            Some(Ok(known)) if known.topic == other.topic && known.position > other.position => known.clone(),
            _ => other.clone(),
        }
    }

    /// Returns what the shard's first transaction has to leave in it and what is not there yet: keys and values.
    pub fn first_records(&self, contract: &Contract) -> Vec<(Vec<u8>, Vec<u8>)> {
        if self.has_contract {
            return Vec::new();
        }
        let scheme = self.id_scheme();
        vec![(ID_SCHEME_KEY.to_vec(), scheme.to_bytes()), (CONTRACT_KEY.to_vec(), contract.to_bytes())]
    }
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
    /// The shard is written under a transactional id of another form than the one it was taken with.
    #[error("the shard is written under a transactional id of another form")]
    IdScheme(IdScheme),
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
    recover_as(reader, shard, contract, stall_timeout, held, None)
}

/// Reads a shard that was acquired with a transactional id of this form. Another one is told at once: a transaction that is
/// open under that other id was not decided by the acquisition, and would hold up the read.
pub(super) fn recover_as(
    reader: &mut impl OffsetReader,
    shard: ShardId,
    contract: &Contract,
    stall_timeout: Duration,
    held: &dyn Fn() -> bool,
    scheme: Option<IdScheme>,
) -> Result<Recovered, RecoverError> {
    fault_point_in("recovery");
    let mut recovered = Recovered::default();
    let mut unreadable_sequences = HashMap::new();
    // One that an earlier version left is one, too.
    let mut any_contract = false;
    let bounds = read_to_end(reader, shard, stall_timeout, held, |key, value| match sequence::key_from_bytes(key) {
        Some(key) => {
            apply_sequence(&mut recovered.sequences, &mut unreadable_sequences, key, value);
            Ok(())
        }
        None => {
            if key == CONTRACT_KEY {
                any_contract = value.is_some();
            }
            apply(&mut recovered, contract, key, value)?;
            // The form stands in front of the contract, so with the contract it is decided.
            match scheme {
                Some(scheme) if recovered.has_contract && recovered.id_scheme() != scheme => {
                    Err(RecoverError::IdScheme(recovered.id_scheme()))
                }
                _ => Ok(()),
            }
        }
    })?;
    recovered.lease_epoch = recovered.epoch_base.saturating_add(bounds.end);
    recovered.emptied = (bounds.start > 0 && !any_contract).then_some(bounds.start);
    // A shard without a contract is to be begun under the id of this version, even if it was another's before.
    if let Some(scheme) = scheme
        && recovered.id_scheme() != scheme
    {
        return Err(RecoverError::IdScheme(recovered.id_scheme()));
    }
    // One that an earlier version wrote has none, although the stream may have one already.
    for (key, offset) in &mut recovered.positions {
        offset.sequence = recovered.sequences.last(key);
    }
    recovered.unreadable.extend(unreadable_sequences);
    Ok(recovered)
}

fn apply_sequence(
    sequences: &mut Sequences,
    unreadable: &mut HashMap<OffsetKey, String>,
    key: OffsetKey,
    value: Option<&[u8]>,
) {
    unreadable.remove(&key);
    match value.map(sequence::value_from_bytes) {
        // It stands in the offset again.
        None => {}
        Some(Ok(found)) => sequences.found(&key, found),
        Some(Err(reason)) => {
            let reason = format!(
                "the sequence of stream {} of connector {} cannot be read ({reason}): alter the stream's offset, or reset \
                 it, and it is written anew",
                key.stream, key.connector
            );
            unreadable.insert(key, reason);
        }
    }
}

/// Reads a partition from its start to the end it has now; returns both.
///
/// # Errors
/// As those of [`recover`], and what `apply` says.
pub fn read_to_end(
    reader: &mut impl OffsetReader,
    shard: ShardId,
    stall_timeout: Duration,
    held: &dyn Fn() -> bool,
    mut apply: impl FnMut(&[u8], Option<&[u8]>) -> Result<(), RecoverError>,
) -> Result<Bounds, RecoverError> {
    let bounds = reader.bounds(shard)?;
    let target = bounds.end;
    if bounds.start >= target {
        return Ok(bounds);
    }
    reader.seek(shard, bounds.start)?;
    wait_for_seek(reader, bounds.start, stall_timeout, held)?;
    let mut position = bounds.start;
    let mut progressed = Instant::now();
    while position < target {
        if !held() {
            return Err(RecoverError::Released);
        }
        if let Some(record) = reader.poll()? {
            apply(&record.key, record.value.as_deref())?;
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
    Ok(bounds)
}

/// Waits until the position of the read before is gone.
///
/// A partition that is assigned again keeps its old position until librdkafka's main thread has stopped the old fetch.
/// Believed meanwhile, the old position would end a read that has read nothing. Only a poll gives a new one, and there
/// is none before this returns; what the old fetch had brought is passed over by the client, by its version.
fn wait_for_seek(
    reader: &mut impl OffsetReader,
    start: i64,
    stall_timeout: Duration,
    held: &dyn Fn() -> bool,
) -> Result<(), RecoverError> {
    let began = Instant::now();
    loop {
        let position = reader.position()?;
        if position <= start {
            return Ok(());
        }
        if !held() {
            return Err(RecoverError::Released);
        }
        if began.elapsed() >= stall_timeout {
            let text = format!("the client still says offset {position} of the read before");
            return Err(LogError { kind: LogErrorKind::Timeout, doing: "going to a shard's offsets", text }.into());
        }
        std::thread::sleep(SEEK_LOOK_EVERY);
    }
}

fn apply(recovered: &mut Recovered, contract: &Contract, key: &[u8], value: Option<&[u8]>) -> Result<(), RecoverError> {
    if key == CONTRACT_KEY {
        recovered.has_contract = value.map(|value| contract.check(value)).transpose()?.unwrap_or_default();
        return Ok(());
    }
    if key == ID_SCHEME_KEY {
        recovered.id_scheme = match value {
            None => None,
            Some(value) => Some(
                IdScheme::from_bytes(value).map_err(|error| ContractError::Unreadable { reason: error.to_string() })?,
            ),
        };
        return Ok(());
    }
    if key == CONFIG_OFFSET_KEY {
        recovered.config_offset = value.map(|value| {
            serde_json::from_slice(value).map_err(|error| {
                format!(
                    "the offset of the config log that its shard waits for cannot be read ({error}); it was written by \
                     something else, or by a later version: stop the connector, and set or reset the offset of this \
                     stream, which writes it anew"
                )
            })
        });
        return Ok(());
    }
    if key == EPOCH_BASE_KEY {
        // Where it cannot be read a status may be wrong for a while, and no fragment.
        recovered.epoch_base = value.and_then(|value| serde_json::from_slice(value).ok()).unwrap_or(0);
        return Ok(());
    }
    let Some(offset_key) = OffsetKey::from_bytes(key) else {
        // Somebody else's, or a later version's: no stream of ours.
        tracing::warn!(key = shown(key), "a key of the offsets topic is not known and passed over");
        return Ok(());
    };
    recovered.unreadable.remove(&offset_key);
    recovered.positions.remove(&offset_key);
    recovered.by_arn.remove(&offset_key);
    if let (Some(_), Some(Ok(place))) = (offset_key.by_name(), value.map(PositionByArn::from_bytes)) {
        recovered.by_arn.insert(offset_key, place);
        return Ok(());
    }
    match value.map(StoredOffset::from_bytes) {
        None => {}
        Some(Ok(offset)) => {
            if let Some(sequence) = offset.sequence {
                recovered.sequences.found(&offset_key, sequence);
            }
            recovered.positions.insert(offset_key, offset);
        }
        Some(Err(reason)) => {
            // Whoever alters it goes on counting.
            if let Some(Ok(sequence)) = value.map(sequence::value_from_bytes) {
                recovered.sequences.found(&offset_key, sequence);
            }
            let reason = format!(
                "the offset of {} cannot be read ({reason}): alter it, or delete it to start anew",
                String::from_utf8_lossy(key)
            );
            recovered.unreadable.insert(offset_key, reason);
        }
    }
    Ok(())
}
