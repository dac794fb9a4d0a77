//! What all workers of a group agree on: connectors, their target states, their tasks, and the statuses of all of them.
//!
//! **Contract.** Configurations live in a compacted one-partition topic, the *config log*, with Kafka Connect's own keys
//! and JSON. It is changed only under its fence: a worker acquires the log's transactional id, reads to the end, decides,
//! writes, commits ([`log::ConfigLog::change`]). So changes are serialised without a leader, and every worker arrives at
//! the same [`view::ConfigView`]. Statuses are a second compacted topic, from which any worker answers for all
//! workers ([`status`]). Records of a later version are refused one by one with a message; what they describe does not run.

pub mod change;
pub mod contracts;
mod follow;
mod key_value;
pub mod log;
pub mod memory;
pub mod records;
pub mod status;
mod status_log;
pub mod view;

pub use change::Refusal;
pub use follow::FollowerEnded;
pub use log::{ChangeError, ConfigLog, ConfigStore};
pub use memory::MemoryLog;
pub use records::{AlteredShards, OffsetsHome, RecordError, RestartRequest, Settings, TargetState};
pub use status::{ReportedState, Status, StatusView};
pub use status_log::{StatusClaimError, StatusLog, StatusStore};
pub use view::{ConfigView, ConnectorEntry, Event};
