//! The connector as a process, on a real Kafka, against the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod access;
mod basics;
mod certificates;
mod cli;
mod client_settings;
mod clients;
mod cluster;
mod conflicts;
mod contracts;
mod credentials;
mod data_topics;
mod discontinuity;
mod export;
mod first_look;
mod following;
#[path = "../../kvs-simulator/tests/common/framemd5.rs"]
mod framemd5;
mod frames;
mod kafka_trouble;
mod kills;
mod logging;
mod media;
mod metadata;
mod notifications;
mod offsets_attacked;
mod one_stream;
mod open_files;
mod operations;
mod own_offsets;
mod payloads;
mod recordings;
mod recovery;
mod refusals;
mod registry;
mod registry_readers;
mod registry_topics;
mod renamed;
mod rest;
mod rest_abuse;
mod routing;
mod security;
mod stage;
mod streams;
mod supervision;
mod verify;
