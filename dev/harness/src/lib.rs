//! Real parts for tests, the demo and the benchmarks: Kafka, the connector, a read_committed view of what came out.
//!
//! **Contract.** Everything that is started here is stopped: when its handle is dropped, and by the kernel when this
//! process dies in any other way. Ports are free ones; data is in temporary folders. What cannot be had is a panic
//! that says how to get it, for a test that cannot run must not look as if it had passed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod connector;
pub mod kafka;
pub mod process;
pub mod topic;
pub mod turn;
pub mod wait;
pub mod watch;

pub use connector::{Connector, ConnectorFile, WorkerFile};
pub use kafka::{Kafka, KafkaCluster};
pub use topic::{Isolation, Seen, read_notifications, read_topic};
pub use turn::Turn;
pub use wait::{wait_for, wait_for_within, wait_until};
pub use watch::Watch;
