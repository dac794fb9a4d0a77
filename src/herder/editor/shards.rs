//! Reads and alters offsets in the shards of one offsets topic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::lost::Lost;
use crate::cluster::change::Extent;
use crate::cluster::records::KeyValue;
use crate::herder::error::ShardFailure;
use crate::kafka::KafkaLog;
use crate::model::sequence;
use crate::model::{Contract, OffsetKey, ShardCount, ShardId, ShardLog, StoredOffset};
use crate::shard::beginning::beginning;
use crate::shard::by_arn::find;
use crate::shard::moving::{Settled, ShardsOfTopic};
use crate::shard::recover::{RecoverError, Recovered, recover};
use crate::shard::{ConfigOffset, UnreadableRecord};

/// How long a shard may make no progress before it is given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);

/// The offsets of a connector's streams, by stream; an error is a stream's record that cannot be read.
pub type Offsets = BTreeMap<String, Result<StoredOffset, UnreadableRecord>>;

/// Offsets to set, by stream; `None` deletes an offset, so that its stream starts over.
pub type Alterations = BTreeMap<String, Option<StoredOffset>>;

/// The shards of one topic, whose offsets are edited.
#[derive(Clone)]
pub(in crate::herder) struct EditedShards {
    /// The name of the topic; `None`: the worker's.
    pub(in crate::herder) topic: Option<String>,
    pub(in crate::herder) log: Arc<KafkaLog>,
    pub(in crate::herder) contract: Contract,
    pub(in crate::herder) count: ShardCount,
}

/// The shard that could not be read or written, and why.
pub(super) type Failure = (ShardId, RecoverError);

impl EditedShards {
    /// Returns the shards in the form for moving offsets out of them or into them.
    pub(in crate::herder) fn movable(&self) -> ShardsOfTopic<'_, KafkaLog> {
        let Self { log, contract, count, .. } = self;
        ShardsOfTopic { log, contract, count: *count, stall_timeout: STALL_TIMEOUT }
    }

    pub(super) fn failed(&self, (shard, source): Failure, altered: usize) -> ShardFailure {
        ShardFailure { shard, topic: self.log.offsets_topic().to_owned(), altered, source: Box::new(source) }
    }

    pub(super) fn read(&self, connector: &str) -> Result<Offsets, Failure> {
        let mut offsets = Offsets::new();
        for shard in (0..self.count.get()).map(ShardId) {
            let read = self.log.with_reader(|reader| recover(reader, shard, &self.contract, STALL_TIMEOUT, &|| true));
            let recovered = read.map_err(|error| (shard, error))?;
            let mine = |key: &OffsetKey| key.connector == connector;
            let by_arn = recovered.by_arn.into_iter().map(|(key, position)| (key, Ok(position.offset)));
            let positions = recovered.positions.into_iter().map(|(key, offset)| (key, Ok(offset)));
            let unreadable = recovered.unreadable.into_iter().map(|(key, record)| (key, Err(record)));
            for (key, offset) in by_arn.chain(positions).chain(unreadable).filter(|(key, _)| mine(key)) {
                note(&mut offsets, OffsetKey::of_stream(&key.connector, &key.stream).stream, offset);
            }
        }
        Ok(offsets)
    }

    /// Returns what the shards have lost. `is_marked`: the config log says that the connector has lost its offsets.
    pub(super) fn lost(&self, connector: &str, is_marked: bool) -> Result<Lost, Failure> {
        // The worker's topic may be as new as its group, and workers do not start with one that was recreated.
        let mut is_unbegun = false;
        let mut cut = BTreeSet::new();
        for shard in (0..self.count.get()).map(ShardId) {
            let found =
                self.log.with_reader(|reader| beginning(reader, shard)).map_err(|error| (shard, error.into()))?;
            is_unbegun |= self.topic.is_some() && !found.is_begun();
            if found.bounds.start > 0 {
                let read =
                    self.log.with_reader(|reader| recover(reader, shard, &self.contract, STALL_TIMEOUT, &|| true));
                let recovered = read.map_err(|error| (shard, error))?;
                if recovered.emptied.is_some() || recovered.lost_by.contains(connector) {
                    cut.insert(shard);
                }
            }
        }
        Ok(match (is_unbegun, is_marked) {
            (true, _) => Lost::Topic,
            (false, true) => Lost::Connector,
            (false, false) => Lost::Cut(cut),
        })
    }

    /// Alters one shard after the other, while `stopped` returns where the connector is STOPPED; those that were altered are
    /// added to `done`. If all offsets are altered, every shard is begun that is not.
    pub(super) fn alter<E>(
        &self,
        settled: &Settled<'_>,
        offsets: Alterations,
        extent: Extent,
        stopped: impl Fn() -> Result<ConfigOffset, E>,
        done: &mut Vec<ShardId>,
    ) -> Result<Result<(), E>, Failure> {
        type OfShards = BTreeMap<ShardId, Vec<(OffsetKey, Option<StoredOffset>)>>;
        let all = (0..self.count.get()).map(|shard| (ShardId(shard), Vec::new()));
        let mut of_shards = if extent == Extent::All { all.collect() } else { OfShards::new() };
        // Only the new offset of a stream counts: one under its ARN is deleted, afterwards.
        let mut by_arn = OfShards::new();
        let found = find(&*self.log, &self.contract, self.count, STALL_TIMEOUT);
        let mut found = found.map_err(|error| (ShardId(0), error))?;
        for (stream, offset) in offsets {
            let key = OffsetKey::of_stream(settled.connector, &stream);
            for (key, shard, _) in found.remove(&key).into_iter().flatten() {
                by_arn.entry(shard).or_default().push((key, None));
            }
            of_shards.entry(self.count.shard_of(&key.to_bytes())).or_default().push((key, offset));
        }
        let of_shards = of_shards.into_iter().map(|(shard, offsets)| (shard, Some(settled), offsets));
        // The connector may have other streams in these.
        let by_arn = by_arn.into_iter().map(|(shard, offsets)| (shard, None, offsets));
        for (shard, settled, offsets) in of_shards.chain(by_arn) {
            let records = |recovered: &Recovered| {
                offsets.iter().flat_map(|(key, offset)| altered(recovered, key, offset.clone())).collect()
            };
            let altered = self.movable().alter(shard, &stopped, settled, records);
            if let Err(error) = altered.map_err(|error| (shard, error))? {
                return Ok(Err(error));
            }
            done.push(shard);
        }
        Ok(Ok(()))
    }
}

/// Adds an offset of a stream. Of two, one of them under its ARN, the higher one counts; one that cannot be read is
/// always reported.
fn note(offsets: &mut Offsets, stream: String, offset: Result<StoredOffset, UnreadableRecord>) {
    let stays = match (offsets.get(&stream), &offset) {
        (Some(Err(_)), _) => true,
        (Some(Ok(known)), Ok(offset)) => known.fragment_number >= offset.fragment_number,
        _ => false,
    };
    if !stays {
        offsets.insert(stream, offset);
    }
}

/// Returns the records that alter a stream's offset. Its sequence is continued: it is stored in the offset, or in a
/// record of its own if there is no offset any more.
fn altered(recovered: &Recovered, key: &OffsetKey, offset: Option<StoredOffset>) -> [KeyValue; 2] {
    let known = recovered.sequences.last(key);
    let sequence = offset.as_ref().and_then(|offset| offset.sequence).max(known);
    let alone = if offset.is_none() { sequence } else { None };
    let offset = offset.map(|offset| {
        // A stream stays in the partition that its records are in, wherever it continues.
        let kept = || recovered.positions.get(key).map(|kept| kept.data_partitions.clone()).unwrap_or_default();
        let given = Some(offset.data_partitions.clone()).filter(|given| !given.is_empty());
        let data_partitions = given.unwrap_or_else(kept);
        StoredOffset { sequence, data_partitions, ..offset }.to_bytes()
    });
    [(sequence::key_bytes(key), alone.map(sequence::value_bytes)), (key.to_bytes(), offset)]
}

#[cfg(test)]
#[path = "shards_tests.rs"]
mod tests;
