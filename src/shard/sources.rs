//! What a shard's owner asks of whatever pulls the shard's streams.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use kvs_mkv::FragmentNumber;
use tokio::sync::mpsc;

use super::gate::ConfigOffset;
use super::positions::SharedPositions;
use crate::model::{Committed, OffsetKey, Publication};

/// What pulls the streams of a shard.
pub trait Sources: Send {
    /// Waits until the config log is applied here up to an offset, for as long as `held`. A change of offsets asks for it.
    fn wait_for_config(&mut self, offset: &ConfigOffset, held: &dyn Fn() -> bool);

    /// Begins to pull every stream of the shard that has not failed, from its position, into the queue. What was pulled
    /// before has been stopped.
    fn start(&mut self, start: StartContext, queue: mpsc::Sender<Publication>);

    /// Stops pulling. Senders of the queue are dropped soon after.
    fn stop(&mut self);

    /// Gives a stream up: its position is kept, the other streams go on.
    fn fail(&mut self, stream: &OffsetKey, reason: String);

    /// Hears what has been committed.
    fn committed(&mut self, _publications: &[Committed]) {}

    /// Hears that a fragment has come that is already published, because it is not above the stream's last one.
    fn already_published(&mut self, _stream: &OffsetKey, _last: &FragmentNumber) {}

    /// Hears that the broker has refused a record of a stream for its time. The shard is lost; the stream is pulled again.
    fn timestamp_refused(&mut self, _stream: &OffsetKey) {}

    /// Gives up every stream that writes to all of these topics.
    fn fail_topics(&mut self, topics: &BTreeSet<Arc<str>>, reason: String);

    /// Says of all streams that the shard cannot be acquired, once that has lasted long enough that somebody should know.
    /// They go on by themselves when it is. `lease_end` is the end of its partition, which orders what is said of the shard.
    fn blocked(&mut self, reason: String, lease_end: i64);
}

/// What an acquisition of a shard hands to its streams.
#[derive(Debug, Clone, Default)]
pub struct StartContext {
    /// Where its streams are.
    pub positions: SharedPositions,
    /// Streams that cannot be pulled, with the reason.
    pub unreadable: HashMap<OffsetKey, String>,
    /// Why none of its streams can be pulled.
    pub refused: Option<String>,
    /// Orders the acquisitions of a shard: it grows with each.
    pub lease_epoch: i64,
}
