//! The data model of all other modules: shards, offsets, records, the log.
//!
//! **Contract.** The base of the crate: nothing here imports another module, does I/O or waits. [`log`] has the traits
//! through which `crate::shard` and `crate::cluster` use Kafka and which `crate::kafka` implements, so that tests can drive
//! every order of events. A [`Publication`] is what a stream hands to its shard: the records of one fragment, in every
//! output, together with the offset that is committed with them.

pub mod contract;
mod format;
mod frame_progress;
mod header;
mod id;
mod id_scheme;
pub mod log;
mod offset;
mod offset_error;
mod offset_key;
mod publication;
mod record;
pub mod sequence;
mod template;
mod topic_name;

pub use contract::{Contract, ContractError};
pub use format::{
    KeyFormat, Partitioning, PayloadMode, RecordKey, RecordTimestamp, ReferenceFormat, VALUE_HEADROOM_BYTES,
    ValueFormat,
};
pub use frame_progress::{FrameProgress, TrackProgress};
pub use header::Header;
pub use id::{ShardCount, ShardId, TopicShard, partition_for};
pub use id_scheme::{ID_SCHEME_KEY, IdScheme};
pub use log::{LogError, LogErrorKind, OffsetReader, ShardLog, TransactionalProducer};
pub use offset::{DataPartition, StoredOffset};
pub use offset_error::OffsetError;
pub use offset_key::OffsetKey;
pub use publication::{Committed, Publication};
pub use record::{OnRefused, OutputId, Record, RecordOutput};
pub use sequence::{SequencePrefix, Sequences};
pub use template::{Template, TemplateError, VARIABLES, Variable};
pub use topic_name::{
    TOPIC_NAME_MAX_BYTES, fixed_topics, has_topic_characters, is_kafkas_own_topic, is_topic_name, metric_name,
    names_topic,
};
