//! kvs-connect: Kinesis Video Streams to Kafka, one record a fragment, exactly once.
//!
//! Dependencies point one way: cli → {rest, worker} → herder → {cluster, connector, shard} → {record, kafka, config}, and connector →
//! kvs-client → kvs-mkv. docs/ARCHITECTURE.md has the picture.
// A print panics when it cannot be written (cli::output, logging::writer); a file that settings name may never end
// (kvs_client::files).
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod cli;
pub mod cluster;
pub mod config;
pub mod connector;
pub mod herder;
pub mod kafka;
pub mod logging;
mod nearest;
pub mod open_files;
pub mod record;
pub mod rest;
pub mod shard;
pub mod supervision;
pub mod telemetry;
pub mod worker;
