//! The places of a connector's streams: read, altered, reset.
//!
//! **Contract.** Offsets are altered only while their connector is STOPPED, each shard's under the shard's own fence, in
//! one transaction with the place of the config log at which it was STOPPED: whoever owns the shard loses it, is told by
//! the config log, takes it again, and pulls nothing before that place is in force there ([`crate::shard::ConfigGate`]). Every offset is checked before
//! the first one is written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use super::operations::OperationError;
use crate::cluster::change;
use crate::kafka::KafkaLog;
use crate::shard::contract::CONTRACT_KEY;
use crate::shard::log::write_transaction;
use crate::shard::recover::{CONFIG_PLACE_KEY, RecoverError, recover};
use crate::shard::{
    ConfigPlace, Contract, Grip, LogError, LogErrorKind, OffsetKey, Record, ShardCount, ShardId, ShardLog, StoredOffset,
};

/// Without progress for so long a shard's offsets are given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);
/// An alteration is tried so often for each shard: its owner takes the shard at the same time.
const ATTEMPTS: usize = 10;

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

/// A key and the offset that it gets; `None` forgets it.
type Altered = (Vec<u8>, Option<StoredOffset>);

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
        let read = tokio::task::spawn_blocking(move || read(&log, &contract, shards, &name));
        let failed =
            |reason: String| OffsetsError::Shard { shard: 0, topic: topic.clone(), reason, done: String::new() };
        read.await.map_err(|error| failed(error.to_string()))?.map_err(|(shard, error)| OffsetsError::Shard {
            shard: shard.0,
            topic: topic.clone(),
            reason: error.to_string(),
            done: String::new(),
        })
    }

    /// Sets places of a connector's streams; `None` forgets one, so that the stream begins anew.
    ///
    /// # Errors
    /// When the connector is not STOPPED, or a shard cannot be written.
    pub async fn alter_offsets(
        &self,
        name: &str,
        offsets: BTreeMap<String, Option<StoredOffset>>,
    ) -> Result<(), OffsetsError> {
        let _turn = self.altering.lock().await;
        let place = self.stopped_at(name).await?;
        self.alter_at(name, offsets, place).await
    }

    async fn alter_at(
        &self,
        name: &str,
        offsets: BTreeMap<String, Option<StoredOffset>>,
        place: ConfigPlace,
    ) -> Result<(), OffsetsError> {
        let (log, contract, shards) = (Arc::clone(&self.offsets_log), self.contract.clone(), self.config.shards);
        let (name, topic) = (name.to_owned(), self.config.offsets_topic.clone());
        let configs = Arc::clone(&self.configs);
        let altered = tokio::task::spawn_blocking(move || {
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
        match altered.await {
            Ok((Ok(()), told, _)) => told.map(|_| ()).map_err(|error| OperationError::from(error).into()),
            Ok((Err((shard, error)), _, 0)) => Err(failed(shard.0, error.to_string(), String::new())),
            Ok((Err((shard, error)), _, done)) => Err(failed(
                shard.0,
                error.to_string(),
                format!("; {done} other shards were altered before: do it again when this one can be reached"),
            )),
            Err(error) => Err(failed(0, error.to_string(), String::new())),
        }
    }

    /// Forgets the places of all streams of a connector.
    ///
    /// # Errors
    /// When the connector is not STOPPED, or a shard cannot be written.
    pub async fn reset_offsets(&self, name: &str) -> Result<(), OffsetsError> {
        let _turn = self.altering.lock().await;
        let place = self.stopped_at(name).await?;
        let offsets = self.read_offsets(name).await?.into_keys().map(|stream| (stream, None)).collect();
        self.alter_at(name, offsets, place).await
    }

    /// The place of the config log at which the connector is STOPPED, read under the log's fence.
    async fn stopped_at(&self, name: &str) -> Result<ConfigPlace, OffsetsError> {
        self.connector(name)?;
        let name = name.to_owned();
        let ((), position) = self.change(move |view| change::stopped(view, &name)).await?;
        Ok(ConfigPlace { topic: self.configs.topic().to_owned(), position })
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
        let positions = recovered.positions.into_iter().filter(|(key, _)| mine(key));
        offsets.extend(positions.map(|(key, offset)| (key.stream, Ok(offset))));
        let unreadable = recovered.unreadable.into_iter().filter(|(key, _)| mine(key));
        offsets.extend(unreadable.map(|(key, reason)| (key.stream, Err(reason))));
    }
    Ok(offsets)
}

fn alter(
    log: &KafkaLog,
    contract: &Contract,
    shards: ShardCount,
    connector: &str,
    offsets: BTreeMap<String, Option<StoredOffset>>,
    place: &ConfigPlace,
    done: &mut Vec<ShardId>,
) -> Result<(), (ShardId, RecoverError)> {
    let mut of_shards: BTreeMap<ShardId, Vec<Altered>> = BTreeMap::new();
    for (stream, offset) in offsets {
        let key = OffsetKey { connector: connector.to_owned(), stream }.to_bytes();
        of_shards.entry(shards.shard_of(&key)).or_default().push((key, offset));
    }
    for (shard, records) in of_shards {
        let mut attempts = 0;
        loop {
            attempts += 1;
            match alter_shard(log, contract, shard, &records, place) {
                Ok(()) => {
                    done.push(shard);
                    break;
                }
                // Its owner was quicker in taking it again, or a broker is away for a moment.
                Err(RecoverError::Log(LogError { kind, .. }))
                    if kind != LogErrorKind::NotAuthorized && attempts < ATTEMPTS =>
                {
                    std::thread::sleep(Duration::from_millis(20 * attempts as u64));
                }
                Err(error) => return Err((shard, error)),
            }
        }
    }
    Ok(())
}

/// Takes the shard as an owner does, and writes into it what no owner would.
fn alter_shard(
    log: &KafkaLog,
    contract: &Contract,
    shard: ShardId,
    records: &[Altered],
    place: &ConfigPlace,
) -> Result<(), RecoverError> {
    let taken = crate::shard::take::take(log, shard, contract, &Grip::default(), STALL_TIMEOUT)?;
    let mut producer = taken.producer;
    let topic: Arc<str> = log.offsets_topic().into();
    let mut own = vec![(CONFIG_PLACE_KEY.to_vec(), Some(place.to_bytes()))];
    if !taken.recovered.has_contract {
        own.insert(0, (CONTRACT_KEY.to_vec(), Some(contract.to_bytes())));
    }
    let kept = |key: &[u8]| {
        let before = taken.recovered.positions.get(&OffsetKey::from_bytes(key)?)?;
        before.data_partition.clone()
    };
    let records = records.iter().map(|(key, offset)| {
        // A stream stays in the partition that its records are in, wherever it goes on.
        let offset = offset
            .clone()
            .map(|offset| StoredOffset { data_partition: offset.data_partition.or_else(|| kept(key)), ..offset });
        (key.clone(), offset.map(|offset| offset.to_bytes()))
    });
    let records = own.into_iter().chain(records);
    write_transaction(&mut producer, records.map(|(key, value)| Record::of_log(&topic, shard, key, value)))?;
    Ok(())
}
