//! The heart: taking, recovering, writing, losing a shard.
//!
//! **Contract.** A *shard* is one partition of the compacted offsets topic. Its owner writes fragments and their
//! streams' offsets in one transaction, under one transactional id that belongs to the shard alone. Whatever order
//! things happen in, a read_committed consumer sees each fragment of a stream once and in order. There is one way to
//! recover, whatever broke: drop the shard and take it again.
//!
//! There are no Kafka types here: [`log`] has the traits that `crate::kafka` keeps, so that a test can drive every
//! order of events.
//!
//! The rules (`exactly-once.md`), and where they are kept:
//!
//! | # | rule | kept in |
//! |---|---|---|
//! | 1 | assigned → new producer → init → still assigned? → read_uncommitted end as target → read committed up to it → only then pull | [`take`] |
//! | 2 | a read_committed end is no target, an end-of-partition event proves nothing | [`log::OffsetReader::bounds`], [`recover`] |
//! | 3 | only the shard's own id writes its partition | [`log::ShardLog::open_producer`], `crate::kafka::producer` |
//! | 4 | offsets last; a transaction opens on a whole fragment and is short | [`transaction`] |
//! | 5 | fenced does not mean exit: still assigned → wait with jitter → take again | [`owner`] |
//! | 6 | after any unclear answer the producer is finished | [`owner`]: an error drops it, nothing retries with it |
//! | 7 | a stale owner that inits late fences the right one, which takes its shard again; counted | [`owner`] |
//! | 8 | the recovery read has a no-progress deadline and says what is wrong | [`recover`] |
//! | 9 | partition count and owning group are part of the topic's contract | [`contract`], [`take`], `crate::worker` |
//! | 10 | revoked: stop pulling, finish or abandon within a bound, drop the producer, then acknowledge | [`owner`], `crate::worker` |
//! | 11 | commit markers take offsets: positions are compared, records not waited for | [`recover`] |
//! | 12 | expired ids are rule 5 | [`log::LogErrorKind`], [`owner`] |
//! | 13 | no connector writes to the offsets, config or status topic | `crate::config::check` |

pub mod contract;
mod gate;
pub mod id;
pub mod log;
pub mod offset;
pub mod outgoing;
pub mod owner;
pub mod recover;
pub mod take;
pub mod transaction;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod owner_tests;
#[cfg(test)]
mod take_tests;
#[cfg(test)]
mod topics_tests;

pub use contract::Contract;
pub use gate::{ConfigGate, ConfigPlace};
pub use id::{ShardCount, ShardId, partition_for};
pub use log::{LogError, LogErrorKind, OffsetReader, ShardLog, TransactionalProducer};
pub use offset::{OffsetKey, StoredOffset};
pub use outgoing::{Outgoing, Record};
pub use owner::{Beginning, Grip, Owner, OwnerSettings, SharedPositions, Sources};
pub use recover::Positions;
pub use transaction::Committed;
