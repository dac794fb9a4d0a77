//! `kvs-connect tail`.

mod decode;
mod show;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};

use super::brokers::{self, CALL_TIMEOUT, TopicReadError, connect};
use super::failure::{EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use super::output;
use super::worker_args::WorkerArgs;
use crate::kafka::FailureContext;
use decode::Decoded;

/// Prints committed fragments, metadata, or notifications.
#[derive(Args)]
#[command(after_help = "\
Only committed records are shown, as to any read_committed consumer. Notifications (from the topic \
notifications.topic) are printed one per line.
  kvs-connect tail --bootstrap-servers 127.0.0.1:9092 --topic kvs.fragments
  kvs-connect tail --worker worker.toml --topic kvs.fragments --from beginning \\
    --until-end --save ./fragments
  kvs-connect tail --worker worker.toml --topic kvs-connect-notifications \\
    --from beginning --until-end")]
pub(super) struct Tail {
    #[command(flatten)]
    worker: WorkerArgs,
    /// The topic of the fragments, of their metadata, of their frames, or of notifications.
    #[arg(long)]
    topic: String,
    /// Where to start.
    #[arg(long, value_enum, default_value = "end")]
    from: From,
    /// Stop after this many records.
    #[arg(long, value_name = "N")]
    max: Option<u64>,
    /// Stop at the end that the topic has at the start.
    #[arg(long)]
    until_end: bool,
    /// Print one JSON object per line instead of a table, without the payload.
    #[arg(long)]
    json: bool,
    /// Write each fragment's payload to DIR/STREAM-NUMBER.mkv.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// The first record that still exists.
    Beginning,
    /// The records written from now on.
    End,
}

impl Tail {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let worker = self.worker.load().map_err(|problems| Failure::config(&problems))?;
        if let Some(folder) = &self.save {
            make_folder(folder)?;
        }
        let consumer = connect(&worker)?;
        let unavailable = |what: &str, error: &dyn std::fmt::Display| {
            Failure::new(EXIT_UNAVAILABLE, format!("{what} topic {}: {error}", self.topic))
        };
        let ends = self.assign(&consumer).map_err(|error| unavailable("cannot read", &error))?;
        let decoder = decode::Decoder::new().map_err(|error| Failure::new(EXIT_UNAVAILABLE, error))?;
        let mut printer = show::Printer::new(self.json);
        let mut shown = 0;
        while self.max.is_none_or(|max| shown < max) {
            if self.until_end && at_end(&consumer, &self.topic, &ends) {
                break;
            }
            let message = match consumer.poll(Duration::from_millis(20)) {
                None => continue,
                Some(Err(error)) => {
                    output::say(format_args!("kvs-connect: reading topic {}: {error}", self.topic));
                    continue;
                }
                Some(Ok(message)) => message,
            };
            let record = format!("partition {} offset {}", message.partition(), message.offset());
            match decoder.decode(message.payload().unwrap_or_default()) {
                Ok(Decoded::Fragment(fragment)) => {
                    if let Some(folder) = &self.save {
                        show::save(folder, &fragment).map_err(|error| Failure::new(EXIT_UNAVAILABLE, error))?;
                    }
                    let timestamp_ms = message.timestamp().to_millis();
                    printer.print(&fragment, message.partition(), message.offset(), timestamp_ms)?;
                    shown += 1;
                }
                Ok(Decoded::Frame(fields, size_bytes)) => {
                    printer.print_frame(&fields, size_bytes, message.partition(), message.offset())?;
                    shown += 1;
                }
                Ok(Decoded::Notification(fields)) => {
                    printer.print_notification(&fields, message.partition(), message.offset())?;
                    shown += 1;
                }
                Err(error) => output::say(format_args!(
                    "kvs-connect: the record at {record} is neither a fragment, nor metadata, nor a frame, nor a notification: {error}"
                )),
            }
        }
        Ok(())
    }

    /// Assigns all partitions; returns the current ends of those that have records to read.
    fn assign(&self, consumer: &BaseConsumer<FailureContext>) -> Result<HashMap<i32, i64>, TopicReadError> {
        let mut partitions = TopicPartitionList::new();
        let mut ends = HashMap::new();
        for partition in brokers::partitions(consumer, &self.topic)? {
            let (start, end) = consumer.fetch_watermarks(&self.topic, partition, CALL_TIMEOUT)?;
            let from = if self.from == From::Beginning { start } else { end };
            partitions.add_partition_offset(&self.topic, partition, Offset::Offset(from))?;
            if from < end {
                ends.insert(partition, end);
            }
        }
        consumer.assign(&partitions)?;
        Ok(ends)
    }
}

/// Creates the folder for saved fragments, unless it exists.
fn make_folder(folder: &Path) -> Result<(), Failure> {
    let shown = folder.display();
    if folder.exists() && !folder.is_dir() {
        let reason =
            format!("--save {shown}: it exists but is not a folder, and each fragment is saved as a file in a folder");
        return Err(Failure::new(EXIT_USAGE, reason));
    }
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::new(EXIT_UNAVAILABLE, format!("--save {shown}: the folder cannot be created: {error}"))
    })
}

/// Returns whether every partition's position has reached its noted end. Positions move past markers and aborted
/// records.
fn at_end(consumer: &BaseConsumer<FailureContext>, topic: &str, ends: &HashMap<i32, i64>) -> bool {
    let Ok(positions) = consumer.position() else { return false };
    ends.iter().all(|(&partition, &end)| {
        let position = positions.find_partition(topic, partition).map(|element| element.offset());
        matches!(position, Some(Offset::Offset(offset)) if offset >= end)
    })
}
