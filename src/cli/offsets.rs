//! `kvs-connect offsets`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{EXIT_UNAVAILABLE, Failure, WorkerArgs};
use crate::config::WorkerConfig;
use crate::kafka::KafkaLog;
use crate::shard::recover::recover;
use crate::shard::{OffsetKey, ShardId, ShardLog, StoredOffset};
use crate::worker::plan;

/// Without progress for so long a shard's offsets are given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Looks at the streams' places.
#[derive(Args)]
pub(super) struct Offsets {
    #[command(subcommand)]
    command: OffsetsCommand,
}

#[derive(Subcommand)]
enum OffsetsCommand {
    /// The last fragment published of each stream.
    List(List),
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    worker: WorkerArgs,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
}

impl Offsets {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let OffsetsCommand::List(list) = self.command;
        let worker = list.worker.load().map_err(|problems| Failure::config(&problems))?;
        let offsets = read(&worker)?;
        if list.json {
            for ((connector, stream), (shard, offset)) in offsets {
                println!(
                    "{}",
                    json!({
                        "connector": connector,
                        "stream": stream,
                        "shard": shard.0,
                        "fragment_number": offset.fragment_number.as_str(),
                        "continuation_token": offset.continuation_token,
                        "server_timestamp_ms": offset.server_timestamp.map(kvs_mkv::Timestamp::millis),
                        "producer_timestamp_ms": offset.producer_timestamp.map(kvs_mkv::Timestamp::millis),
                    })
                );
            }
            return Ok(());
        }
        println!("{:<24} {:<32} {:>5} {:<47} SERVER TIME", "CONNECTOR", "STREAM", "SHARD", "FRAGMENT");
        for ((connector, stream), (shard, offset)) in offsets {
            let time = offset.server_timestamp.map_or("-".to_owned(), |time| time.to_string());
            println!("{connector:<24} {stream:<32} {shard:>5} {:<47} {time}", offset.fragment_number);
        }
        Ok(())
    }
}

type Listed = BTreeMap<(String, String), (ShardId, StoredOffset)>;

fn read(worker: &WorkerConfig) -> Result<Listed, Failure> {
    let topic = &worker.offsets_topic;
    let unavailable = |error: &dyn std::fmt::Display| Failure::new(EXIT_UNAVAILABLE, format!("topic {topic}: {error}"));
    let log = KafkaLog::new(plan::kafka_settings(worker));
    let contract = plan::contract(worker);
    let mut reader = log.open_reader().map_err(|error| unavailable(&error))?;
    let mut listed = Listed::new();
    for shard in (0..worker.shards.get()).map(ShardId) {
        let recovered = recover(&mut reader, shard, &contract, STALL_TIMEOUT, &|| true);
        for (key, offset) in recovered.map_err(|error| unavailable(&error))?.positions {
            let OffsetKey { connector, stream } = key;
            listed.insert((connector, stream), (shard, offset));
        }
    }
    Ok(listed)
}
