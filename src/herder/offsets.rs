//! The offsets of a connector's streams: read, altered, reset.
//!
//! **Contract.** Offsets are altered only while their connector is STOPPED, each shard's under the shard's own fence, in
//! one transaction with the config offset at which it was STOPPED: whoever owns the shard loses it, is told by the config
//! log, acquires it again, and pulls nothing before that config offset is in force there ([`crate::shard::ConfigGate`]).
//! Every offset is checked before the first one is written.

mod named;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Herder;
use super::changes::Changes;
use super::error::{OffsetsError, OperationError};
use super::turns::{self, Turn, Turns};
use crate::cluster::records::KeyValue;
use crate::cluster::{ConnectorEntry, Refusal, change};
use crate::config::connector::{StreamsConfig, streams_of};
use crate::kafka::KafkaLog;
use crate::model::log::write_transaction;
use crate::model::sequence;
use crate::model::{Contract, OffsetKey, Record, ShardCount, ShardId, ShardLog, StoredOffset};
use crate::shard::acquire::{acquire, contend};
use crate::shard::by_arn::find;
use crate::shard::recover::{CONFIG_OFFSET_KEY, RecoverError, Recovered, recover};
use crate::shard::{ConfigOffset, ShardLease};

/// A shard that makes no progress for this long is given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);

/// The record of a stream's offset cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct UnreadableOffset {
    /// What is wrong with it.
    pub reason: String,
}

/// The offsets of a connector's streams, by stream.
pub type Offsets = BTreeMap<String, Result<StoredOffset, UnreadableOffset>>;

/// Offsets that are to be set, by stream; `None` forgets one, so that its stream begins anew.
pub type Alterations = BTreeMap<String, Option<StoredOffset>>;

impl Herder {
    /// Returns the offsets of a connector's streams, and of those that it had before.
    ///
    /// # Errors
    /// `NotFound` when there is no such connector; when a shard cannot be read.
    pub async fn offsets(&self, name: &str) -> Result<Offsets, OffsetsError> {
        self.connector(name)?;
        self.offsets.read(name).await
    }

    /// Sets offsets of a connector's streams.
    ///
    /// # Errors
    /// `NotStopped` when the connector is not STOPPED, `Invalid` when a stream is not its own and has no offset either; when
    /// a shard cannot be written.
    pub async fn alter_offsets(&self, name: &str, offsets: Alterations) -> Result<(), OffsetsError> {
        let turn = self.offsets.alterations.turn().await?;
        self.connector(name)?;
        let stopped = self.offsets.stopped_at(name).await?;
        self.offsets.check_named(name, &self.connector(name)?, &offsets).await?;
        self.offsets.alter(turn, name, offsets, stopped).await
    }

    /// Forgets the offsets of all streams of a connector.
    ///
    /// # Errors
    /// `NotStopped` when the connector is not STOPPED; when a shard cannot be written.
    pub async fn reset_offsets(&self, name: &str) -> Result<(), OffsetsError> {
        let turn = self.offsets.alterations.turn().await?;
        self.connector(name)?;
        let stopped = self.offsets.stopped_at(name).await?;
        let offsets = self.offsets.read(name).await?.into_keys().map(|stream| (stream, None)).collect();
        self.offsets.alter(turn, name, offsets, stopped).await
    }
}

/// Reads and alters offsets in the shards of the offsets topic.
pub(super) struct OffsetsEditor {
    shards: EditedShards,
    changes: Changes,
    alterations: Turns,
    readings: Turns,
}

/// The shards whose offsets are edited.
#[derive(Clone)]
struct EditedShards {
    log: Arc<KafkaLog>,
    contract: Contract,
    count: ShardCount,
}

/// The shard that could not be read or written, and why.
type ShardFailure = (ShardId, RecoverError);

impl OffsetsEditor {
    pub(super) fn new(log: Arc<KafkaLog>, contract: Contract, count: ShardCount, changes: Changes) -> Self {
        Self {
            shards: EditedShards { log, contract, count },
            changes,
            alterations: Turns::new(turns::ALTERATIONS),
            readings: Turns::new(turns::READINGS),
        }
    }

    async fn read(&self, name: &str) -> Result<Offsets, OffsetsError> {
        let (shards, name) = (self.shards.clone(), name.to_owned());
        let turn = self.readings.turn().await?;
        let read = turns::within(turn, move || shards.read(&name));
        read.await.map_err(|failure| self.failed(failure, 0))
    }

    fn failed(&self, (shard, source): ShardFailure, altered: usize) -> OffsetsError {
        OffsetsError::Shard { shard, topic: self.shards.log.offsets_topic().to_owned(), altered, source }
    }

    /// Refuses streams that are not the connector's, unless they have an offset.
    async fn check_named(&self, name: &str, entry: &ConnectorEntry, offsets: &Alterations) -> Result<(), OffsetsError> {
        // A connector whose settings cannot be read here may have any.
        let Some(streams) = entry.settings.as_ref().ok().and_then(streams_of) else { return Ok(()) };
        let mut foreign: Vec<&String> = offsets.keys().filter(|stream| !named::may_have(&streams, stream)).collect();
        if foreign.is_empty() {
            return Ok(());
        }
        let mut known: BTreeSet<String> = self.read(name).await?.into_keys().collect();
        foreign.retain(|stream| !known.contains(*stream));
        let Some(foreign) = foreign.first() else { return Ok(()) };
        match &streams {
            StreamsConfig::Listed(listed) => known.extend(listed.iter().map(|stream| stream.name().to_owned())),
            StreamsConfig::Discovered(_) => known.extend(entry.tasks.values().cloned()),
        }
        Err(OperationError::from(Refusal::Invalid(named::refusal(name, &streams, foreign, &known))).into())
    }

    async fn alter(
        &self,
        turn: Turn,
        name: &str,
        offsets: Alterations,
        stopped: ConfigOffset,
    ) -> Result<(), OffsetsError> {
        let (shards, name, configs) = (self.shards.clone(), name.to_owned(), Arc::clone(self.changes.log()));
        let altered = turns::within(turn, move || {
            let mut done = Vec::new();
            let altered = shards.alter(&name, offsets, &stopped, &mut done);
            // Their owners acquire them again: one that has nothing to write would not notice.
            let told = match done.is_empty() {
                true => Ok(((), 0)),
                false => configs.change(|_| Ok(change::altered(&done))),
            };
            (altered, told, done.len())
        });
        match altered.await {
            (Ok(()), told, _) => told.map(|_| ()).map_err(|error| OperationError::from(error).into()),
            (Err(failure), _, altered) => Err(self.failed(failure, altered)),
        }
    }

    /// Returns the config offset at which the connector is STOPPED, read under the log's fence.
    async fn stopped_at(&self, name: &str) -> Result<ConfigOffset, OffsetsError> {
        let name = name.to_owned();
        let ((), position) = self.changes.make(move |view| change::stopped(view, &name)).await?;
        Ok(ConfigOffset { topic: self.changes.log().topic().to_owned(), position })
    }
}

impl EditedShards {
    fn read(&self, connector: &str) -> Result<Offsets, ShardFailure> {
        let mut offsets = Offsets::new();
        for shard in (0..self.count.get()).map(ShardId) {
            let read = self.log.with_reader(|reader| recover(reader, shard, &self.contract, STALL_TIMEOUT, &|| true));
            let recovered = read.map_err(|error| (shard, error))?;
            let mine = |key: &OffsetKey| key.connector == connector;
            let by_arn = recovered.by_arn.into_iter().map(|(key, place)| (key, Ok(place.offset)));
            let positions = recovered.positions.into_iter().map(|(key, offset)| (key, Ok(offset)));
            let unreadable = recovered.unreadable.into_iter();
            let unreadable = unreadable.map(|(key, reason)| (key, Err(UnreadableOffset { reason })));
            for (key, offset) in by_arn.chain(positions).chain(unreadable).filter(|(key, _)| mine(key)) {
                note(&mut offsets, OffsetKey::of_stream(&key.connector, &key.stream).stream, offset);
            }
        }
        Ok(offsets)
    }

    /// Alters shard after shard; `done` is given those that are altered.
    fn alter(
        &self,
        connector: &str,
        offsets: Alterations,
        stopped: &ConfigOffset,
        done: &mut Vec<ShardId>,
    ) -> Result<(), ShardFailure> {
        type OfShards = BTreeMap<ShardId, Vec<(OffsetKey, Option<StoredOffset>)>>;
        let mut of_shards = OfShards::new();
        // What is said of a stream now counts alone: what stood under its ARN goes, afterwards.
        let mut by_arn = OfShards::new();
        let found = find(&*self.log, &self.contract, self.count, STALL_TIMEOUT);
        let mut found = found.map_err(|error| (ShardId(0), error))?;
        for (stream, offset) in offsets {
            let key = OffsetKey::of_stream(connector, &stream);
            for (key, shard, _) in found.remove(&key).into_iter().flatten() {
                by_arn.entry(shard).or_default().push((key, None));
            }
            of_shards.entry(self.count.shard_of(&key.to_bytes())).or_default().push((key, offset));
        }
        for (shard, offsets) in of_shards.into_iter().chain(by_arn) {
            contend(|| self.alter_shard(shard, &offsets, stopped)).map_err(|error| (shard, error))?;
            done.push(shard);
        }
        Ok(())
    }

    /// Acquires the shard as an owner does, and writes into it what no owner would.
    fn alter_shard(
        &self,
        shard: ShardId,
        offsets: &[(OffsetKey, Option<StoredOffset>)],
        stopped: &ConfigOffset,
    ) -> Result<(), RecoverError> {
        let taken = acquire(&*self.log, shard, &self.contract, &ShardLease::default(), STALL_TIMEOUT)?;
        let mut producer = taken.producer;
        let topic: Arc<str> = self.log.offsets_topic().into();
        let first = taken.recovered.first_records(&self.contract).into_iter().map(|(key, value)| (key, Some(value)));
        let own = first.chain([(CONFIG_OFFSET_KEY.to_vec(), Some(stopped.to_bytes()))]);
        let altered = offsets.iter().flat_map(|(key, offset)| altered(&taken.recovered, key, offset.clone()));
        let records = own.chain(altered);
        write_transaction(&mut producer, records.map(|(key, value)| Record::of_log(&topic, shard, key, value)))?;
        Ok(())
    }
}

/// Takes in an offset of a stream. Of two, one of them under its ARN, the higher one counts; one that cannot be read is
/// told in any case.
fn note(offsets: &mut Offsets, stream: String, offset: Result<StoredOffset, UnreadableOffset>) {
    let stays = match (offsets.get(&stream), &offset) {
        (Some(Err(_)), _) => true,
        (Some(Ok(known)), Ok(offset)) => known.fragment_number >= offset.fragment_number,
        _ => false,
    };
    if !stays {
        offsets.insert(stream, offset);
    }
}

/// Returns the records that alter a stream's offset. Its sequence goes on from where it is: in the offset, or on its own where
/// there is no offset any more.
fn altered(recovered: &Recovered, key: &OffsetKey, offset: Option<StoredOffset>) -> [KeyValue; 2] {
    let known = recovered.sequences.last(key);
    let sequence = offset.as_ref().and_then(|offset| offset.sequence).max(known);
    let alone = if offset.is_none() { sequence } else { None };
    let offset = offset.map(|offset| {
        // A stream stays in the partition that its records are in, wherever it goes on.
        let kept = || recovered.positions.get(key).map(|kept| kept.data_partitions.clone()).unwrap_or_default();
        let given = Some(offset.data_partitions.clone()).filter(|given| !given.is_empty());
        let data_partitions = given.unwrap_or_else(kept);
        StoredOffset { sequence, data_partitions, ..offset }.to_bytes()
    });
    [(sequence::key_bytes(key), alone.map(sequence::value_bytes)), (key.to_bytes(), offset)]
}

#[cfg(test)]
#[path = "offsets_tests.rs"]
mod tests;
