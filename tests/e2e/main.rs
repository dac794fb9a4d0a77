//! The connector as a process, on a real Kafka, against the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod access;
mod basics;
mod certificates;
mod cli;
mod clients;
mod cluster;
mod conflicts;
mod credentials;
mod kafka_trouble;
mod kills;
mod one_stream;
mod operations;
mod recordings;
mod refusals;
mod rest;
mod security;
mod stage;
mod streams;
