//! The exactly-once core: acquiring, recovering, writing and losing a shard.
//!
//! **Contract.** A *shard* is one partition of a compacted offsets topic. Its owner writes fragments and their
//! streams' offsets in one transaction, under one transactional id that belongs to the shard alone. Whatever order
//! things happen in, a read_committed consumer sees each fragment of a stream once and in order. There is one way to
//! recover, whatever broke: drop the shard and acquire it again.
//!
//! There are no Kafka types here: [`crate::model::log`] has the traits that `crate::kafka` implements, so that a test
//! can drive every order of events.
//!
//! The rules (docs/EXACTLY-ONCE.md has their reasons), and where they are implemented:
//!
//! | # | rule | implemented in |
//! |---|---|---|
//! | 1 | assigned → new producer → init → still assigned? → read_uncommitted end as target → read committed up to it → only then pull | [`acquire`] |
//! | 2 | a read_committed end is no target; an end-of-partition event proves nothing | [`crate::model::log::OffsetReader::bounds`], [`recover`] |
//! | 3 | only the shard's own id writes its partition; that id never changes | [`crate::model::log::ShardLog::open_producer`], `crate::model::IdScheme`, [`acquire`], `crate::kafka::producer` |
//! | 4 | offsets last; a transaction begins with a complete fragment and is short | [`transaction`] |
//! | 5 | fenced does not mean exit: still assigned → wait with jitter → acquire again | [`owner`] |
//! | 6 | after any unclear answer the producer is finished | [`owner`]: an error drops it, nothing retries with it |
//! | 7 | a stale owner that inits late fences the right one, which acquires its shard again; counted | [`owner`] |
//! | 8 | the recovery read has a no-progress deadline and reports what is wrong | [`recover`] |
//! | 9 | shard count and owning group are part of the topic's contract; partitions that were added are no shards | [`crate::model::contract`], [`beginning`], [`acquire`], `crate::worker` |
//! | 10 | revoked: stop pulling, finish or abandon within a bound, drop the producer, then acknowledge | [`owner`], `crate::worker` |
//! | 11 | commit markers occupy offsets: positions are compared, records not waited for | [`recover`] |
//! | 12 | expired ids are rule 5 | [`crate::model::log::LogErrorKind`], [`owner`] |
//! | 13 | no connector writes to an offsets, config or status topic | `crate::config::check`, `crate::cluster::change` |
//! | 14 | workers agree before they write (group, the three topics, shard count, a stream's data partition); a topic recreated under a worker ends it | [`crate::model::contract`], [`crate::model::DataPartition`], `crate::kafka::claim`, `crate::kafka::watch`, `crate::cluster::contracts` |
//! | 15 | a view of a log is a function of the log: no clock decides which record counts | `crate::cluster::status` |
//! | 16 | ownership ends with membership: a consumer with a fatal error, or a silent coordinator for a session, releases all | `crate::kafka::membership` |
//! | 17 | offsets move to another topic only while nobody publishes for their connector, under the fences of both topics | [`moving`], `crate::cluster::change` |
//! | 18 | offsets that are gone are never taken for none: a shard that begins later than it did, or a topic that was recreated, is refused until offsets are set or reset | [`recover`], [`owner`], [`moving`], `crate::cluster::change`, `crate::kafka::watch` |

pub mod acquire;
pub mod beginning;
pub mod by_arn;
mod context;
mod gate;
mod lease;
mod losing;
pub mod moving;
pub mod owner;
mod position_by_arn;
mod positions;
pub mod recover;
mod refused_topics;
mod report;
mod sources;
pub mod transaction;
mod unreadable;

#[cfg(test)]
mod acquire_tests;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod owner_tests;
#[cfg(test)]
mod sequence_owner_tests;
#[cfg(test)]
mod topics_tests;
#[cfg(test)]
mod upgrade_tests;

pub use context::{OwnerContext, OwnerSettings};
pub use gate::{ConfigGate, ConfigOffset};
pub use lease::ShardLease;
pub use owner::Owner;
pub use positions::SharedPositions;
pub use recover::Positions;
pub use report::OwnerReport;
pub use sources::{LostPositions, Sources, StartContext};
pub use unreadable::{ShardRefusal, UnreadableRecord};
