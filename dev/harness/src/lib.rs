//! Real parts for tests, the demo and the benchmarks: Kafka, a schema registry, workers, and a read_committed view of
//! their output.
//!
//! **Contract.** Everything started here is stopped when its handle is dropped, or by the kernel if this process dies in
//! any other way. Ports are free ones, and data is in temporary folders. Something missing on the machine is a panic that
//! says how to get it, because a test that cannot run must not look as if it had passed. Workers that are dropped while
//! a test fails print the end of their logs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod azurite;
pub mod connector;
mod forward;
pub mod kafka;
mod log_tail;
pub mod process;
pub mod registry;
pub mod registry_front;
pub mod s3;
pub mod s3_front;
pub mod topic;
pub mod turn;
pub mod wait;
pub mod watch;

pub use azurite::AzureServer;
pub use connector::{Connector, ConnectorFile, WorkerFile};
pub use kafka::{Kafka, KafkaCluster};
pub use registry::Registry;
pub use registry_front::{RegistryFront, RegistryRequest, Trouble};
pub use s3::S3Server;
pub use s3_front::{S3Front, S3Request, S3Trouble};
pub use topic::{Isolation, Seen, read_notifications, read_topic};
pub use turn::Turn;
pub use wait::{wait_for, wait_for_within, wait_until};
pub use watch::Watch;
