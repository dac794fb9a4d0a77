//! The recovery read, which finds the position of each stream of a shard.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use super::gate::ConfigOffset;
use super::position_by_arn::PositionByArn;
use super::unreadable::UnreadableRecord;
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

/// The reserved key for the config offset that an owner must have applied before it pulls. It is written whenever
/// offsets are altered: an owner that does not know yet that a connector is STOPPED would undo the change.
pub const CONFIG_OFFSET_KEY: &[u8] = br#"["kvs-connect-config-place"]"#;

/// The reserved key for the highest lease epoch of the shards from which connectors were moved to this shard. Its own
/// epochs are counted from there, so that a report about a task under a later lease always has a higher epoch, whatever
/// topic the lease was in.
pub const EPOCH_BASE_KEY: &[u8] = br#"["kvs-connect-lease-epoch-base"]"#;

/// The reserved key for the first offset of a shard whose records were deleted, written when offsets are set or reset
/// there. What was deleted before it is settled; a shard that begins later has lost records since.
pub const BEGINS_AT_KEY: &[u8] = br#"["kvs-connect-begins-at"]"#;

/// The reserved key for the connectors whose offsets were not set or reset since records of the shard were deleted, as a
/// list: their streams without a position may have had one.
pub const LOST_BY_KEY: &[u8] = br#"["kvs-connect-lost-by"]"#;

/// The interval at which to check whether a seek has taken effect.
const SEEK_LOOK_EVERY: Duration = Duration::from_micros(200);

/// The content of a shard's partition.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The streams' offsets.
    pub positions: Positions,
    /// Whether there are records that this version does not know.
    pub is_foreign: bool,
    /// Whether the shard has the topic's contract, with everything that this worker knows.
    pub has_contract: bool,
    /// The form of the shard's transactional id, if its first transaction recorded it.
    pub id_scheme: Option<IdScheme>,
    /// Streams whose offsets or sequences cannot be read.
    pub unreadable: HashMap<OffsetKey, UnreadableRecord>,
    /// Positions under ARNs, by those keys.
    pub by_arn: HashMap<OffsetKey, PositionByArn>,
    /// The sequence of each stream's last fragment, including streams without an offset.
    pub sequences: Sequences,
    /// The config offset that has to be applied before anything is pulled, or why it cannot be read.
    pub config_offset: Option<Result<ConfigOffset, UnreadableRecord>>,
    /// What the shard's epochs are counted from ([`EPOCH_BASE_KEY`]); zero if no connector was moved to it.
    pub epoch_base: i64,
    /// The end of the partition when it was read, plus `epoch_base`. It grows from one acquisition to the next, and so
    /// orders them.
    pub lease_epoch: i64,
    /// The first offset when offsets were last set or reset after a deletion ([`BEGINS_AT_KEY`]).
    pub begins_at: Option<i64>,
    /// The first offset of a partition whose records were deleted, if nobody has set or reset offsets since. Streams without
    /// a position may have had one.
    pub emptied: Option<i64>,
    /// The connectors for which nobody has ([`LOST_BY_KEY`]), although somebody has for another one.
    pub lost_by: BTreeSet<String>,
}

impl Recovered {
    /// Returns the form of the transactional id that the shard is written under. A shard without records has this
    /// version's form.
    pub fn id_scheme(&self) -> IdScheme {
        match self.id_scheme {
            Some(scheme) => scheme,
            None if self.has_contract => IdScheme::Dashes,
            None => IdScheme::default(),
        }
    }

    /// Returns all offsets by the streams' names: of a stream with one under its ARN, too, there are two, and the higher one counts.
    pub fn into_offsets(self) -> impl Iterator<Item = (OffsetKey, StoredOffset)> {
        let by_arn = self.by_arn.into_iter().filter_map(|(key, found)| Some((key.by_name()?, found.offset)));
        self.positions.into_iter().chain(by_arn)
    }

    /// Returns the later one of a config offset and the one that the shard already waits for.
    pub fn highest_config_offset(&self, other: &ConfigOffset) -> ConfigOffset {
        match &self.config_offset {
            Some(Ok(known)) if known.topic == other.topic && known.position > other.position => known.clone(),
            _ => other.clone(),
        }
    }

    /// Returns the records that the shard's first transaction has to write, as keys and values; none if they exist. None,
    /// too, if records were deleted: with them the shard would look like one that has lost nothing.
    pub fn first_records(&self, contract: &Contract) -> Vec<(Vec<u8>, Vec<u8>)> {
        if self.has_contract || self.emptied.is_some() {
            return Vec::new();
        }
        self.contract_records(contract).into()
    }

    /// Returns the records that are written when the offsets of a connector's streams are set or reset: those of the first
    /// transaction if they are missing, even because they were deleted, where the shard begins now, and which of the `others`
    /// have lost offsets with what was deleted.
    pub fn settling_records(
        &self,
        contract: &Contract,
        connector: &str,
        others: &BTreeSet<String>,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut records = if self.has_contract { Vec::new() } else { self.contract_records(contract).to_vec() };
        let mut lost_by = self.lost_by.clone();
        if let Some(start) = self.emptied {
            records.push((BEGINS_AT_KEY.to_vec(), start.to_string().into_bytes()));
            lost_by.extend(others.iter().cloned());
        }
        lost_by.remove(connector);
        if lost_by != self.lost_by {
            // A list of strings always serialises.
            records.push((LOST_BY_KEY.to_vec(), serde_json::to_vec(&lost_by).unwrap_or_default()));
        }
        records
    }

    fn contract_records(&self, contract: &Contract) -> [(Vec<u8>, Vec<u8>); 2] {
        let scheme = self.id_scheme();
        [(ID_SCHEME_KEY.to_vec(), scheme.to_bytes()), (CONTRACT_KEY.to_vec(), contract.to_bytes())]
    }
}

/// Reasons why a shard cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The topic has a different contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The log has become shorter since the read began.
    #[error(
        "no progress for {stalled_s} s at offset {position}: the log was truncated, it ends at {end} and ended at \
         {target} before; look for an unclean leader election"
    )]
    Truncated {
        /// How long there was no progress, in seconds.
        stalled_s: u64,
        /// The position of the read.
        position: i64,
        /// The current end of the log.
        end: i64,
        /// The end of the log when the read began.
        target: i64,
    },
    /// A transaction on the partition is never decided.
    #[error(
        "no progress for {stalled_s} s at offset {position} of {target}: a transaction hangs on the partition; find it \
         with kafka-transactions.sh find-hanging, and abort it"
    )]
    HangingTransaction {
        /// How long there was no progress, in seconds.
        stalled_s: u64,
        /// The position of the read.
        position: i64,
        /// The end of the log when the read began.
        target: i64,
    },
    /// The shard is written under a transactional id of another form than the one it was acquired with.
    #[error("the shard is written under a transactional id of another form")]
    IdScheme(IdScheme),
    /// The shard was released meanwhile.
    #[error("the shard was released")]
    Released,
}

/// Reads a shard up to its current end.
///
/// The target is the read_uncommitted end, fetched after init (rules 1 and 2). It is compared with the position, which
/// skips markers and aborted records (rule 11).
///
/// # Errors
/// Those of [`RecoverError`]; also when there is no progress for `stall_timeout` (rule 8).
pub fn recover(
    reader: &mut impl OffsetReader,
    shard: ShardId,
    contract: &Contract,
    stall_timeout: Duration,
    held: &dyn Fn() -> bool,
) -> Result<Recovered, RecoverError> {
    recover_as(reader, shard, contract, stall_timeout, held, None)
}

/// Reads a shard that was acquired with a transactional id of this form. If the shard has another form, that is
/// returned at once: a transaction that is open under the other id was not decided by the acquisition, and would hold
/// up the read.
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
    let bounds = read_to_end(reader, shard, stall_timeout, held, |key, value| match sequence::key_from_bytes(key) {
        Some(key) => {
            apply_sequence(&mut recovered.sequences, &mut unreadable_sequences, key, value);
            Ok(())
        }
        None => {
            apply(&mut recovered, contract, key, value)?;
            // The form is written before the contract, so it is known once the contract has been read.
            match scheme {
                Some(scheme) if recovered.has_contract && recovered.id_scheme() != scheme => {
                    Err(RecoverError::IdScheme(recovered.id_scheme()))
                }
                _ => Ok(()),
            }
        }
    })?;
    recovered.lease_epoch = recovered.epoch_base.saturating_add(bounds.end);
    recovered.emptied = Some(bounds.start).filter(|&start| start > recovered.begins_at.unwrap_or(0));
    // A shard without a contract is started under this version's id, even if it was another group's before.
    if let Some(scheme) = scheme
        && recovered.id_scheme() != scheme
    {
        return Err(RecoverError::IdScheme(recovered.id_scheme()));
    }
    // An offset written by an earlier version has no sequence, although the stream may already have one.
    for (key, offset) in &mut recovered.positions {
        offset.sequence = recovered.sequences.last(key);
    }
    recovered.unreadable.extend(unreadable_sequences);
    Ok(recovered)
}

fn apply_sequence(
    sequences: &mut Sequences,
    unreadable: &mut HashMap<OffsetKey, UnreadableRecord>,
    key: OffsetKey,
    value: Option<&[u8]>,
) {
    unreadable.remove(&key);
    match value.map(sequence::value_from_bytes) {
        // The sequence is in the offset again.
        None => {}
        Some(Ok(found)) => sequences.found(&key, found),
        Some(Err(source)) => _ = unreadable.insert(key.clone(), UnreadableRecord::Sequence { key, source }),
    }
}

/// Reads a partition from its start to its current end. Returns both.
///
/// # Errors
/// Those of [`recover`], and those of `apply`.
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

/// Waits until the position of the previous read is gone.
///
/// A partition that is assigned again keeps its old position until librdkafka's main thread has stopped the old fetch.
/// If it were used meanwhile, the old position would end a read that has read nothing. Only a poll sets a new one, and
/// there is none before this returns; the client skips records of the old fetch, by their version.
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
            let text = format!("the client still returns offset {position} of the previous read");
            return Err(LogError { kind: LogErrorKind::Timeout, doing: "seeking to a shard's start", text }.into());
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
            serde_json::from_slice(value).map_err(|error| UnreadableRecord::ConfigOffset { source: error.into() })
        });
        return Ok(());
    }
    if key == EPOCH_BASE_KEY {
        // If it cannot be read, a status may be wrong for a while, but no fragment.
        recovered.epoch_base = value.and_then(|value| serde_json::from_slice(value).ok()).unwrap_or(0);
        return Ok(());
    }
    if key == BEGINS_AT_KEY {
        // If it cannot be read, the shard counts as one that has lost records, until offsets are set or reset.
        recovered.begins_at = value.map(|value| serde_json::from_slice(value).unwrap_or(0));
        return Ok(());
    }
    if key == LOST_BY_KEY {
        match value.map(serde_json::from_slice) {
            None => recovered.lost_by.clear(),
            Some(Ok(lost_by)) => recovered.lost_by = lost_by,
            // Then nobody has settled anything.
            Some(Err(_)) => recovered.begins_at = None,
        }
        return Ok(());
    }
    let Some(offset_key) = OffsetKey::from_bytes(key) else {
        // The key is another program's, or a later version's, and so no stream of ours.
        tracing::warn!(key = shown(key), "skipping an unknown key in the offsets topic");
        recovered.is_foreign = true;
        return Ok(());
    };
    recovered.unreadable.remove(&offset_key);
    recovered.positions.remove(&offset_key);
    recovered.by_arn.remove(&offset_key);
    if let (Some(_), Some(Ok(position))) = (offset_key.by_name(), value.map(PositionByArn::from_bytes)) {
        recovered.by_arn.insert(offset_key, position);
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
        Some(Err(source)) => {
            // Altering the offset continues the sequence.
            if let Some(Ok(sequence)) = value.map(sequence::value_from_bytes) {
                recovered.sequences.found(&offset_key, sequence);
            }
            let key = String::from_utf8_lossy(key).into_owned();
            recovered.unreadable.insert(offset_key, UnreadableRecord::Offset { key, source });
        }
    }
    Ok(())
}
