//! Moves a connector's offsets from one offsets topic to another.
//!
//! **Contract.** Offsets are moved while nobody publishes for the connector: at a given config offset the connector is
//! STOPPED, or does not exist. [`ShardsOfTopic::take_out`] acquires every shard of the old topic and writes that config
//! offset to it, so that the shard's owner loses it, everything published is seen, and no later owner publishes for the
//! connector before knowing that it is stopped. [`ShardsOfTopic::put_in`] writes the same offsets to the new topic,
//! under the fence of each of its shards. Neither decides which topic counts: the config log does, afterwards, in the
//! change that names the new topic, and only if the connector was not changed meanwhile. Until then the copies are
//! unused; from then on the old topic's offsets are ([`ShardsOfTopic::forget`] deletes them). A move that was overtaken
//! by a later one finds the later config offset in the shards and writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use super::acquire::{Acquired, acquire, contend};
use super::recover::{CONFIG_OFFSET_KEY, EPOCH_BASE_KEY, RecoverError, Recovered};
use super::{ConfigOffset, ShardLease, UnreadableRecord};
use crate::model::log::write_transaction;
use crate::model::{Contract, OffsetKey, Record, ShardCount, ShardId, ShardLog, StoredOffset, sequence};

/// The number of shards that are acquired at once.
const AT_ONCE: usize = 5;

/// The shards of one offsets topic.
pub struct ShardsOfTopic<'a, L> {
    /// The log that stores the shards.
    pub log: &'a L,
    /// The contract of the topic.
    pub contract: &'a Contract,
    /// The number of shards.
    pub count: ShardCount,
    /// How long a shard may make no progress before it is given up.
    pub stall_timeout: Duration,
}

/// A connector whose offsets in a shard are all set or reset, so that none of them is missing because records were deleted.
#[derive(Debug, Clone, Copy)]
pub struct Settled<'a> {
    /// The connector.
    pub connector: &'a str,
    /// The other connectors that have their offsets in the topic.
    pub others: &'a BTreeSet<String>,
}

/// What a shard without a contract means, in a topic that offsets are taken out of or put into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unbegun {
    /// It has no offsets, unless its records were deleted.
    Empty,
    /// It has lost its offsets: moving offsets to the topic wrote to all of its shards.
    Lost,
    /// Whatever it has lost, the connector was deleted, and its streams start over.
    StartsOver,
}

impl Unbegun {
    /// Returns whether a shard has lost offsets that matter.
    fn is_lost(self, recovered: &Recovered) -> bool {
        self == Self::Lost && !recovered.has_contract
    }
}

/// The offsets of a connector that were taken out of a topic.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TakenOut {
    /// Offsets, by the streams' names.
    offsets: BTreeMap<OffsetKey, StoredOffset>,
    /// Sequences of streams, including those without an offset.
    sequences: BTreeMap<OffsetKey, i64>,
    /// The highest lease epoch of the shards.
    lease_epoch: i64,
}

/// Reasons why offsets were not moved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MoveError {
    /// A shard cannot be read or written.
    #[error("shard {shard} of topic {topic}: {source}")]
    Shard {
        /// The shard.
        shard: ShardId,
        /// Its topic.
        topic: String,
        /// Why.
        source: Box<RecoverError>,
    },
    /// An offset cannot be read; without it the stream would be published again.
    #[error("shard {shard} of topic {topic}: {source}")]
    Unreadable {
        /// The shard.
        shard: ShardId,
        /// Its topic.
        topic: String,
        /// The record.
        source: Box<UnreadableRecord>,
    },
    /// A shard has lost its records.
    #[error(
        "shard {shard} of topic {topic}: the topic was deleted and recreated, and the positions of streams are lost with it: \
         restore it; or stop its connectors, and set or reset the offsets of all their streams; or delete them and create them again \
         with another topic, and their streams start over"
    )]
    Lost {
        /// The shard.
        shard: ShardId,
        /// Its topic.
        topic: String,
    },
    /// Records of a shard were deleted, and with them maybe offsets.
    #[error(
        "shard {shard} of topic {topic} begins at offset {start}: records were deleted, and positions of streams with them: \
         stop the connectors that have streams in it, and set or reset the offsets of all their streams first"
    )]
    Emptied {
        /// The shard.
        shard: ShardId,
        /// Its topic.
        topic: String,
        /// Its first offset.
        start: i64,
    },
    /// A shard has records that are no offsets of this group.
    #[error(
        "shard {shard} of topic {topic}: it has records of somebody else; offsets need a topic that has nothing else in it"
    )]
    Foreign {
        /// The shard.
        shard: ShardId,
        /// Its topic.
        topic: String,
    },
    /// The offsets of a shard were moved or altered by a later request.
    #[error("shard {shard} of topic {topic} was altered meanwhile; try again")]
    Overtaken {
        /// The shard.
        shard: ShardId,
        /// Its topic.
        topic: String,
    },
}

impl<L: ShardLog> ShardsOfTopic<'_, L> {
    /// Does something for every shard, a few at once, because most of the time is spent waiting for Kafka. Blocks.
    fn each<T: Send>(&self, work: impl Fn(ShardId) -> Result<T, MoveError> + Sync) -> Result<Vec<T>, MoveError> {
        let next = AtomicI32::new(0);
        let run = || {
            let mut done = Vec::new();
            loop {
                let shard = next.fetch_add(1, Ordering::Relaxed);
                if shard >= self.count.get() {
                    return Ok(done);
                }
                done.push(work(ShardId(shard))?);
            }
        };
        std::thread::scope(|scope| {
            // If no thread can be started, this one does all the work.
            let start = |_| std::thread::Builder::new().name("moving".to_owned()).spawn_scoped(scope, run).ok();
            let threads: Vec<_> = (1..AT_ONCE).filter_map(start).collect();
            let mut done = run();
            for thread in threads {
                let others = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                done = done.and_then(|mut done| {
                    done.extend(others?);
                    Ok(done)
                });
            }
            done
        })
    }

    /// Acquires a shard as an owner does, and writes records for its content, after the config offset that its owners wait
    /// for. `stopped` returns that offset, or why nothing may be written. It is called once the shard is acquired: an owner
    /// that learns later that the connector is started again has to acquire the shard, too, and either finds what was
    /// written or prevents it. Had it been asked before, the owner might publish in between, and the records would take the
    /// stream back. `settled`: the connector whose offsets these are, if they are those of all its streams in the shard.
    /// Blocks.
    ///
    /// # Errors
    /// When the shard cannot be acquired or written; the inner one is that of `stopped`.
    pub fn alter<E>(
        &self,
        shard: ShardId,
        stopped: impl Fn() -> Result<ConfigOffset, E>,
        settled: Option<&Settled<'_>>,
        records: impl Fn(&Recovered) -> Vec<KeyValue>,
    ) -> Result<Result<(), E>, RecoverError> {
        let mut refused = Ok(());
        self.write(shard, |recovered| match stopped() {
            Ok(stopped) => {
                refused = Ok(());
                let first = match settled {
                    Some(Settled { connector, others }) => recovered.settling_records(self.contract, connector, others),
                    None => recovered.first_records(self.contract),
                };
                let first = valued(first).chain([waited_for(recovered, &stopped)]);
                Some(first.chain(records(recovered)).collect())
            }
            Err(error) => {
                refused = Err(error);
                None
            }
        })?;
        Ok(refused)
    }

    fn failed(&self, shard: ShardId) -> impl Fn(RecoverError) -> MoveError {
        move |source| MoveError::Shard { shard, topic: self.topic(), source: Box::new(source) }
    }

    fn emptied(&self, shard: ShardId, start: i64) -> MoveError {
        MoveError::Emptied { shard, topic: self.topic(), start }
    }

    fn topic(&self) -> String {
        self.log.offsets_topic().to_owned()
    }

    /// Writes to every shard the config offset at which the connector is stopped, and returns the connector's offsets,
    /// which also stay in the topic. Blocks.
    ///
    /// # Errors
    /// When a shard cannot be acquired, or an offset of the connector cannot be read.
    pub fn take_out(&self, connector: &str, stopped: &ConfigOffset, unbegun: Unbegun) -> Result<TakenOut, MoveError> {
        let parts = self.each(|shard| {
            let mut refused = None;
            let recovered = self.write(shard, |recovered| {
                let emptied =
                    recovered.emptied.or_else(|| recovered.begins_at.filter(|_| recovered.lost_by.contains(connector)));
                refused = match emptied {
                    Some(start) if unbegun != Unbegun::StartsOver => Some(self.emptied(shard, start)),
                    None if unbegun.is_lost(recovered) => Some(MoveError::Lost { shard, topic: self.topic() }),
                    _ => None,
                };
                // With a contract, a shard that was lost would look to other connectors as if it had lost nothing.
                let starts_over = unbegun == Unbegun::StartsOver && !recovered.has_contract;
                let quiet =
                    if starts_over { vec![waited_for(recovered, stopped)] } else { self.quiet(recovered, stopped) };
                refused.is_none().then_some(quiet)
            });
            let recovered = recovered.map_err(self.failed(shard))?;
            if let Some(refused) = refused {
                return Err(refused);
            }
            let mine = |key: &OffsetKey| key.connector == connector;
            if let Some((_, record)) = recovered.unreadable.iter().find(|(key, _)| mine(key)) {
                return Err(MoveError::Unreadable { shard, topic: self.topic(), source: Box::new(record.clone()) });
            }
            Ok(recovered)
        })?;
        let mut taken = TakenOut::default();
        for recovered in parts {
            taken.add(connector, recovered);
        }
        Ok(taken)
    }

    /// Replaces the topic's offsets of the connector's streams by those taken out of another topic. Blocks.
    ///
    /// # Errors
    /// When a shard cannot be acquired, has lost its records or has records of somebody else, or a later request was quicker.
    pub fn put_in(
        &self,
        connector: &str,
        taken: &TakenOut,
        stopped: &ConfigOffset,
        unbegun: Unbegun,
    ) -> Result<(), MoveError> {
        self.each(|shard| {
            let mut refused = None;
            let written = self.write(shard, |recovered| {
                refused = match recovered.emptied {
                    _ if !recovered.has_contract && recovered.is_foreign => {
                        Some(MoveError::Foreign { shard, topic: self.topic() })
                    }
                    // Beginning it again would make the topic look as if it had lost nothing.
                    Some(start) => Some(self.emptied(shard, start)),
                    None if unbegun.is_lost(recovered) => Some(MoveError::Lost { shard, topic: self.topic() }),
                    None if is_later(recovered, stopped) => Some(MoveError::Overtaken { shard, topic: self.topic() }),
                    None => None,
                };
                refused.is_none().then(|| {
                    let base = taken.lease_epoch.max(recovered.epoch_base);
                    let base = (EPOCH_BASE_KEY.to_vec(), Some(base.to_string().into_bytes()));
                    let records = self.replaced(shard, connector, recovered, taken);
                    // What is put in is all that the connector has.
                    let settled = recovered.settling_records(self.contract, connector, &BTreeSet::new());
                    let first = valued(settled).chain([waited_for(recovered, stopped), base]);
                    first.chain(records).collect()
                })
            });
            written.map_err(self.failed(shard))?;
            refused.map_or(Ok(()), Err)
        })?;
        Ok(())
    }

    /// Deletes the connector's offsets from shards of the topic after they were moved to another one, unless a later
    /// request has moved or altered anything since. Blocks.
    ///
    /// # Errors
    /// When a shard cannot be acquired.
    pub fn forget(&self, connector: &str, stopped: &ConfigOffset) -> Result<(), MoveError> {
        self.each(|shard| {
            let written = self.write(shard, |recovered| {
                let known: BTreeSet<&OffsetKey> = known_of(connector, recovered).collect();
                let gone = known.into_iter().flat_map(|key| [(sequence::key_bytes(key), None), (key.to_bytes(), None)]);
                let gone: Vec<KeyValue> = gone.collect();
                (!gone.is_empty() && !is_later(recovered, stopped)).then_some(gone)
            });
            written.map_err(self.failed(shard))
        })?;
        Ok(())
    }

    /// Returns a shard's first records, if missing, and the config offset that its owners wait for.
    fn quiet(&self, recovered: &Recovered, stopped: &ConfigOffset) -> Vec<KeyValue> {
        valued(recovered.first_records(self.contract)).chain([waited_for(recovered, stopped)]).collect()
    }

    /// Returns the records that replace a shard's offsets of the connector's streams by those in `taken`. Sequences
    /// never go back: one that the shard still knows from earlier is continued.
    fn replaced(&self, shard: ShardId, connector: &str, recovered: &Recovered, taken: &TakenOut) -> Vec<KeyValue> {
        let of_shard = |key: &&OffsetKey| self.count.shard_of(&key.to_bytes()) == shard;
        let new = taken.offsets.keys().chain(taken.sequences.keys()).filter(of_shard);
        let keys: BTreeSet<&OffsetKey> = known_of(connector, recovered).chain(new).collect();
        let records = keys.into_iter().flat_map(|key| {
            let last = taken.sequences.get(key).copied().max(recovered.sequences.last(key));
            let offset = taken.offsets.get(key).map(|offset| StoredOffset { sequence: last, ..offset.clone() });
            // The sequence is stored in the offset, or in a record of its own if there is none.
            let alone = last.filter(|_| offset.is_none()).map(sequence::value_bytes);
            [(sequence::key_bytes(key), alone), (key.to_bytes(), offset.map(|offset| offset.to_bytes()))]
        });
        records.collect()
    }

    /// Acquires a shard as an owner does, and writes what `decide` returns for its content. Returns the content.
    fn write(
        &self,
        shard: ShardId,
        mut decide: impl FnMut(&Recovered) -> Option<Vec<KeyValue>>,
    ) -> Result<Recovered, RecoverError> {
        let topic = self.log.offsets_topic().into();
        contend(|| {
            let lease = ShardLease::default();
            let Acquired { mut producer, recovered } =
                acquire(self.log, shard, self.contract, &lease, self.stall_timeout)?;
            if let Some(records) = decide(&recovered) {
                let records = records.into_iter().map(|(key, value)| Record::of_log(&topic, shard, key, value));
                write_transaction(&mut producer, records)?;
            }
            Ok(recovered)
        })
    }
}

/// A key and its value; `None` is a tombstone.
pub type KeyValue = (Vec<u8>, Option<Vec<u8>>);

/// Returns records with values in the form that may also be a tombstone.
fn valued(records: Vec<(Vec<u8>, Vec<u8>)>) -> impl Iterator<Item = KeyValue> {
    records.into_iter().map(|(key, value)| (key, Some(value)))
}

/// Returns the record of the config offset that a shard's owners wait for: never an earlier one than they already do.
fn waited_for(recovered: &Recovered, stopped: &ConfigOffset) -> KeyValue {
    (CONFIG_OFFSET_KEY.to_vec(), Some(recovered.highest_config_offset(stopped).to_bytes()))
}

/// Returns the streams of a connector for which a shard has any record.
fn known_of<'a>(connector: &'a str, recovered: &'a Recovered) -> impl Iterator<Item = &'a OffsetKey> {
    let known = recovered.positions.keys().chain(recovered.unreadable.keys()).chain(recovered.by_arn.keys());
    let known = known.chain(recovered.sequences.iter().map(|(key, _)| key));
    known.filter(move |key| key.connector == connector)
}

/// Returns whether a shard waits for a later config offset than this one.
fn is_later(recovered: &Recovered, stopped: &ConfigOffset) -> bool {
    recovered.highest_config_offset(stopped) != *stopped
}

impl TakenOut {
    /// Adds a shard's offsets of the connector's streams.
    fn add(&mut self, connector: &str, recovered: Recovered) {
        let mine = |key: &OffsetKey| key.connector == connector;
        self.lease_epoch = self.lease_epoch.max(recovered.lease_epoch);
        for (key, last) in recovered.sequences.iter().filter(|(key, _)| mine(key)) {
            self.sequence(key, Some(last));
        }
        for (key, offset) in recovered.into_offsets().filter(|(key, _)| mine(key)) {
            self.sequence(&key, offset.sequence);
            // Of two positions of a stream, one of them under its ARN, the higher one counts.
            let known = self.offsets.get(&key);
            if known.is_none_or(|known| known.fragment_number < offset.fragment_number) {
                self.offsets.insert(key, offset);
            }
        }
    }

    fn sequence(&mut self, key: &OffsetKey, last: Option<i64>) {
        if let Some(last) = last {
            let known = self.sequences.entry(key.clone()).or_insert(last);
            *known = last.max(*known);
        }
    }

    /// Returns the number of streams with an offset.
    pub fn streams(&self) -> usize {
        self.offsets.len()
    }
}

#[cfg(test)]
#[path = "moving_tests.rs"]
mod tests;
