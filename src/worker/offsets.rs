//! The places of a connector's streams: read, altered, reset.
//!
//! **Contract.** Offsets are altered only while their connector is STOPPED, each shard's under the shard's own fence, in
//! one transaction with the place of the config log at which it was STOPPED: whoever owns the shard loses it, is told by
//! the config log, takes it again, and pulls nothing before that place is in force there ([`crate::shard::ConfigGate`]). Every offset is checked before
//! the first one is written.

mod named;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use super::operations::OperationError;
use super::turns::{self, Turn};
use crate::cluster::records::KeyValue;
use crate::cluster::{Refusal, change};
use crate::config::connector::{StreamsConfig, streams_of};
use crate::kafka::KafkaLog;
use crate::model::log::write_transaction;
use crate::model::sequence;
use crate::model::{Contract, OffsetKey, Record, ShardCount, ShardId, ShardLog, StoredOffset};
use crate::shard::acquire::{acquire, contend};
use crate::shard::by_arn::find;
use crate::shard::recover::{CONFIG_OFFSET_KEY, RecoverError, Recovered, recover};
use crate::shard::{ConfigOffset, ShardLease};

/// Without progress for so long a shard's offsets are given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Why offsets were not read or altered.
#[derive(Debug, thiserror::Error)]
pub enum OffsetsError {
    /// As for any operation.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// A shard.
    #[error("shard {shard} of topic {topic}: {reason}{done}")]
    Shard {
        /// Which.
        shard: i32,
        /// Topic of the offsets.
        topic: String,
        /// Why.
        reason: String,
        /// What was altered before, if anything.
        done: String,
    },
}

/// The places of a connector's streams; a stream whose place cannot be read has the reason.
pub type Offsets = BTreeMap<String, Result<StoredOffset, String>>;

impl Worker {
    /// The places of a connector's streams, of those it had too.
    ///
    /// # Errors
    /// When there is no such connector, or a shard cannot be read.
    pub async fn offsets(&self, name: &str) -> Result<Offsets, OffsetsError> {
        self.connector(name)?;
        self.read_offsets(name).await
    }

    async fn read_offsets(&self, name: &str) -> Result<Offsets, OffsetsError> {
        let (log, contract, shards) = (Arc::clone(&self.offsets_log), self.contract.clone(), self.config.shards);
        let (name, topic) = (name.to_owned(), self.config.offsets_topic.clone());
        let turn = self.readings.turn().await?;
        let read = turns::within(turn, move || read(&log, &contract, shards, &name));
        read.await?.map_err(|(shard, error)| OffsetsError::Shard {
            shard: shard.0,
            topic: topic.clone(),
            reason: error.to_string(),
            done: String::new(),
        })
    }

    /// Sets places of a connector's streams; `None` forgets one, so that the stream begins anew.
    ///
    /// # Errors
    /// When the connector is not STOPPED, when a stream is not its own and has no place either, or when a shard cannot be
    /// written.
    pub async fn alter_offsets(
        &self,
        name: &str,
        offsets: BTreeMap<String, Option<StoredOffset>>,
    ) -> Result<(), OffsetsError> {
        let turn = self.alterations.turn().await?;
        let place = self.stopped_at(name).await?;
        self.check_named(name, &offsets).await?;
        self.alter_at(turn, name, offsets, place).await
    }

    /// Refuses streams that are not the connector's, unless they have a place.
    async fn check_named(
        &self,
        name: &str,
        offsets: &BTreeMap<String, Option<StoredOffset>>,
    ) -> Result<(), OffsetsError> {
        let entry = self.connector(name)?;
        // What cannot be read here may have any.
        let Some(streams) = entry.settings.as_ref().ok().and_then(streams_of) else { return Ok(()) };
        let mut foreign: Vec<&String> = offsets.keys().filter(|stream| !named::may_have(&streams, stream)).collect();
        if foreign.is_empty() {
            return Ok(());
        }
        let mut known: BTreeSet<String> = self.read_offsets(name).await?.into_keys().collect();
        foreign.retain(|stream| !known.contains(*stream));
        let Some(foreign) = foreign.first() else { return Ok(()) };
        match &streams {
            StreamsConfig::Listed(listed) => known.extend(listed.iter().map(|stream| stream.name().to_owned())),
            StreamsConfig::Discovered(_) => known.extend(entry.tasks.into_values()),
        }
        Err(OperationError::from(Refusal::Invalid(named::refusal(name, &streams, foreign, &known))).into())
    }

    async fn alter_at(
        &self,
        turn: Turn,
        name: &str,
        offsets: BTreeMap<String, Option<StoredOffset>>,
        place: ConfigOffset,
    ) -> Result<(), OffsetsError> {
        let (log, contract, shards) = (Arc::clone(&self.offsets_log), self.contract.clone(), self.config.shards);
        let (name, topic) = (name.to_owned(), self.config.offsets_topic.clone());
        let configs = Arc::clone(&self.configs);
        let altered = turns::within(turn, move || {
            let mut done = Vec::new();
            let altered = alter(&log, &contract, shards, &name, offsets, &place, &mut done);
            // Their owners take them again: one that has nothing to write would not notice.
            let told = match done.is_empty() {
                true => Ok(((), 0)),
                false => configs.change(|_| Ok(change::altered(&done))),
            };
            (altered, told, done.len())
        });
        let failed = |shard, reason, done| OffsetsError::Shard { shard, topic: topic.clone(), reason, done };
        match altered.await? {
            (Ok(()), told, _) => told.map(|_| ()).map_err(|error| OperationError::from(error).into()),
            (Err((shard, error)), _, 0) => Err(failed(shard.0, error.to_string(), String::new())),
            (Err((shard, error)), _, done) => Err(failed(
                shard.0,
                error.to_string(),
                format!("; {done} other shards were altered before: do it again when this one can be reached"),
            )),
        }
    }

    /// Forgets the places of all streams of a connector.
    ///
    /// # Errors
    /// When the connector is not STOPPED, or a shard cannot be written.
    pub async fn reset_offsets(&self, name: &str) -> Result<(), OffsetsError> {
        let turn = self.alterations.turn().await?;
        let place = self.stopped_at(name).await?;
        let offsets = self.read_offsets(name).await?.into_keys().map(|stream| (stream, None)).collect();
        self.alter_at(turn, name, offsets, place).await
    }

    /// The place of the config log at which the connector is STOPPED, read under the log's fence.
    async fn stopped_at(&self, name: &str) -> Result<ConfigOffset, OffsetsError> {
        self.connector(name)?;
        let name = name.to_owned();
        let ((), position) = self.change(move |view| change::stopped(view, &name)).await?;
        Ok(ConfigOffset { topic: self.configs.topic().to_owned(), position })
    }
}

fn read(
    log: &KafkaLog,
    contract: &Contract,
    shards: ShardCount,
    connector: &str,
) -> Result<Offsets, (ShardId, RecoverError)> {
    let mut offsets = Offsets::new();
    for shard in (0..shards.get()).map(ShardId) {
        let mut reader = log.open_reader().map_err(|error| (shard, error.into()))?;
        let recovered = recover(&mut reader, shard, contract, STALL_TIMEOUT, &|| true);
        log.give_back(recovered.is_ok().then_some(reader));
        let recovered = recovered.map_err(|error| (shard, error))?;
        let mine = |key: &OffsetKey| key.connector == connector;
        let by_arn = recovered.by_arn.into_iter().map(|(key, place)| (key, Ok(place.offset)));
        let positions = recovered.positions.into_iter().map(|(key, offset)| (key, Ok(offset)));
        let unreadable = recovered.unreadable.into_iter().map(|(key, reason)| (key, Err(reason)));
        for (key, offset) in by_arn.chain(positions).chain(unreadable).filter(|(key, _)| mine(key)) {
            note(&mut offsets, OffsetKey::of_stream(&key.connector, &key.stream).stream, offset);
        }
    }
    Ok(offsets)
}

/// Of two places of a stream, one under its ARN, the higher one counts; one that cannot be read is told in any case.
fn note(offsets: &mut Offsets, stream: String, offset: Result<StoredOffset, String>) {
    let stays = match (offsets.get(&stream), &offset) {
        (Some(Err(_)), _) => true,
        (Some(Ok(known)), Ok(offset)) => known.fragment_number >= offset.fragment_number,
        _ => false,
    };
    if !stays {
        offsets.insert(stream, offset);
    }
}

fn alter(
    log: &KafkaLog,
    contract: &Contract,
    shards: ShardCount,
    connector: &str,
    offsets: BTreeMap<String, Option<StoredOffset>>,
    place: &ConfigOffset,
    done: &mut Vec<ShardId>,
) -> Result<(), (ShardId, RecoverError)> {
    type OfShards = BTreeMap<ShardId, Vec<(OffsetKey, Option<StoredOffset>)>>;
    let mut of_shards = OfShards::new();
    // What is said of a stream now counts alone: what stood under its ARN goes, afterwards.
    let mut by_arn = OfShards::new();
    let mut found = find(log, contract, shards, STALL_TIMEOUT).map_err(|error| (ShardId(0), error))?;
    for (stream, offset) in offsets {
        let key = OffsetKey::of_stream(connector, &stream);
        for (key, shard, _) in found.remove(&key).into_iter().flatten() {
            by_arn.entry(shard).or_default().push((key, None));
        }
        of_shards.entry(shards.shard_of(&key.to_bytes())).or_default().push((key, offset));
    }
    for (shard, offsets) in of_shards.into_iter().chain(by_arn) {
        contend(|| alter_shard(log, contract, shard, &offsets, place)).map_err(|error| (shard, error))?;
        done.push(shard);
    }
    Ok(())
}

/// Takes the shard as an owner does, and writes into it what no owner would.
fn alter_shard(
    log: &KafkaLog,
    contract: &Contract,
    shard: ShardId,
    offsets: &[(OffsetKey, Option<StoredOffset>)],
    place: &ConfigOffset,
) -> Result<(), RecoverError> {
    let taken = acquire(log, shard, contract, &ShardLease::default(), STALL_TIMEOUT)?;
    let mut producer = taken.producer;
    let topic: Arc<str> = log.offsets_topic().into();
    let first = taken.recovered.first_records(contract).into_iter().map(|(key, value)| (key, Some(value)));
    let own = first.chain([(CONFIG_OFFSET_KEY.to_vec(), Some(place.to_bytes()))]);
    let altered = offsets.iter().flat_map(|(key, offset)| altered(&taken.recovered, key, offset.clone()));
    let records = own.chain(altered);
    write_transaction(&mut producer, records.map(|(key, value)| Record::of_log(&topic, shard, key, value)))?;
    Ok(())
}

/// The records that alter a stream's offset. Its sequence goes on from where it is: in the offset, or on its own where
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
