//! The interface between a shard's owner and whatever pulls the shard's streams.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use kvs_mkv::FragmentNumber;
use tokio::sync::mpsc;

use super::gate::ConfigOffset;
use super::positions::SharedPositions;
use super::unreadable::{ShardRefusal, UnreadableRecord};
use crate::model::{Committed, OffsetKey, Publication};

/// Pulls the streams of a shard.
pub trait Sources: Send {
    /// Waits until the config log has been applied here up to an offset, or `held` returns false. Altered offsets
    /// require it.
    fn wait_for_config(&mut self, offset: &ConfigOffset, held: &dyn Fn() -> bool);

    /// Starts pulling every stream of the shard that has not failed, from its position, into the queue. Earlier pulling
    /// has been stopped.
    fn start(&mut self, start: StartContext, queue: mpsc::Sender<Publication>);

    /// Stops pulling. Senders of the queue are dropped soon after.
    fn stop(&mut self);

    /// Gives a stream up because a topic has refused a record of this size, in bytes. The stream's position is kept, and the
    /// other streams continue.
    fn record_too_large(&mut self, stream: &OffsetKey, topic: &Arc<str>, size_bytes: usize, reason: String);

    /// Called when publications have been committed.
    fn committed(&mut self, _publications: &[Committed]) {}

    /// Called when a fragment was already published, because it is not above the stream's last one.
    fn already_published(&mut self, _stream: &OffsetKey, _last: &FragmentNumber) {}

    /// Called when the broker has refused a record of a stream for its timestamp. The shard is lost; the stream is
    /// pulled again.
    fn timestamp_refused(&mut self, _stream: &OffsetKey) {}

    /// Gives up every stream that writes to all of these topics.
    fn fail_topics(&mut self, topics: &BTreeSet<Arc<str>>, reason: String);

    /// Reports for all streams that the shard cannot be acquired, once that has lasted for a while. They continue by
    /// themselves when it is acquired. `lease_end` is the end of the shard's partition, which orders reports about the
    /// shard.
    fn blocked(&mut self, reason: String, lease_end: i64);
}

/// What an acquisition of a shard hands to its streams.
#[derive(Debug, Clone, Default)]
pub struct StartContext {
    /// The positions of the streams.
    pub positions: SharedPositions,
    /// Streams that cannot be pulled, with the records that cannot be read.
    pub unreadable: HashMap<OffsetKey, UnreadableRecord>,
    /// Why none of the streams can be pulled.
    pub refused: Option<ShardRefusal>,
    /// Connectors that may have lost positions.
    pub lost: LostPositions,
    /// Orders the acquisitions of a shard: it grows with each one.
    pub lease_epoch: i64,
}

/// Connectors that may have lost positions with records of the shard that were deleted.
#[derive(Debug, Clone, Default)]
pub struct LostPositions {
    /// The connectors.
    pub connectors: BTreeSet<String>,
    /// Why their streams without a position cannot be pulled.
    pub reason: String,
}

impl StartContext {
    /// Returns why a stream cannot be pulled, if it cannot.
    pub fn refusal(&self, key: &OffsetKey) -> Option<String> {
        let unreadable = || self.unreadable.get(key).map(ToString::to_string);
        let lost = || {
            let is_lost = self.lost.connectors.contains(&key.connector) && self.positions.get(key).is_none();
            is_lost.then(|| self.lost.reason.clone())
        };
        self.refused.as_ref().map(ToString::to_string).or_else(unreadable).or_else(lost)
    }
}
