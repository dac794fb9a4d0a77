//! kvs-connect: Kinesis Video Streams to Kafka, one record a fragment, exactly once.
//!
//! Dependencies point one way, from the command line down to the model: docs/ARCHITECTURE.md has the table, and `dev/arrows`
//! checks it.
// A print panics when it cannot be written (cli::output, logging::writer); a file that settings name may never end
// (kvs_client::files).
#![warn(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]
#![cfg_attr(test, allow(clippy::disallowed_methods))]
// Nobody builds on this crate: its documentation is for those who work on it, who read private items too.
#![allow(rustdoc::private_intra_doc_links)]

pub mod audit;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod connector;
pub mod herder;
pub mod kafka;
pub mod logging;
pub mod model;
mod nearest;
pub mod open_files;
pub mod output;
pub mod payload_store;
pub mod readback;
pub mod registry;
pub mod rest;
pub mod shard;
pub mod supervision;
pub mod telemetry;
pub mod worker;
