//! `kvs-connect offsets`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::failure::{EXIT_CONFIG, EXIT_UNAVAILABLE, Failure};
use super::remote::{Remote, print_json, print_table};
use super::time_text::time_text;
use super::worker_args::WorkerArgs;
use super::{brokers, output};
use crate::config::WorkerConfig;
use crate::kafka::KafkaLog;
use crate::model::contract::ContractError;
use crate::model::{OffsetKey, ShardCount, ShardId, ShardLog, StoredOffset};
use crate::shard::beginning::{AgreedError, agreed_count};
use crate::shard::recover::{RecoverError, recover};
use crate::worker::plan;

/// How long a shard may make no progress before reading it is given up.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Lists the streams' positions, and alters them.
#[derive(Args)]
#[command(after_help = "\
An offset is the last fragment that counts as published: the next one to be published is the one after it. It can be \
altered only while the connector is stopped:
  kvs-connect connector stop cameras --wait
  kvs-connect offsets set cameras front-door \\
    91343852333181432392682062607743920146150000042
  kvs-connect connector resume cameras --wait

`list` asks a worker (--url), which knows the existing connectors. With --worker or --bootstrap-servers it reads the \
offsets topic and needs no worker; it then also lists deleted connectors, whose positions are kept. Either way \
it shows committed offsets.")]
pub(super) struct Offsets {
    #[command(subcommand)]
    command: OffsetsCommand,
}

#[derive(Subcommand)]
enum OffsetsCommand {
    /// List the last published fragment of each stream.
    List(List),
    /// Continue after another fragment; an earlier one replays the stream from there.
    Set(Set),
    /// Discard the positions of a connector's streams: they begin where its settings say.
    Reset(Reset),
}

#[derive(Args)]
struct List {
    /// The connector; all connectors if omitted.
    connector: Option<String>,
    /// Read this topic in place of the worker's offset.storage.topic: one that connectors have of their own
    /// (offsets.storage.topic). With --worker or --bootstrap-servers.
    #[arg(long, value_name = "TOPIC")]
    offsets_topic: Option<String>,
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    worker: WorkerArgs,
}

#[derive(Args)]
struct Set {
    /// The connector, which must be stopped.
    connector: String,
    /// The stream, by name or ARN.
    stream: String,
    /// The last fragment that counts as published. Whether the service has such a fragment is not checked.
    fragment_number: String,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Args)]
struct Reset {
    /// The connector, which must be stopped.
    connector: String,
    /// Only this stream.
    #[arg(long)]
    stream: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

/// A row of the list: connector, stream, offset as JSON.
type Row = (String, String, Value);

impl Offsets {
    pub(super) fn execute(self) -> Result<(), Failure> {
        match self.command {
            OffsetsCommand::List(list) => list.execute(),
            OffsetsCommand::Set(Set { connector, stream, fragment_number, remote }) => {
                let offset = json!({ "fragmentNumber": fragment_number });
                alter(&remote, &connector, &json!([{ "partition": { "stream": stream }, "offset": offset }]))
            }
            OffsetsCommand::Reset(Reset { connector, stream: Some(stream), remote }) => {
                alter(&remote, &connector, &json!([{ "partition": { "stream": stream }, "offset": null }]))
            }
            OffsetsCommand::Reset(Reset { connector, stream: None, remote }) => {
                let answer =
                    remote.connect()?.call(Method::DELETE, &["connectors", &connector, "offsets"], "", None)?;
                told(&remote, &answer)
            }
        }
    }
}

fn alter(remote: &Remote, connector: &str, offsets: &Value) -> Result<(), Failure> {
    let path = ["connectors", connector, "offsets"];
    let answer = remote.connect()?.call(Method::PATCH, &path, "", Some(&json!({ "offsets": offsets })))?;
    told(remote, &answer)
}

fn told(remote: &Remote, answer: &Value) -> Result<(), Failure> {
    if remote.json { print_json(answer) } else { output::print(answer["message"].as_str().unwrap_or_default()) }
}

impl List {
    fn execute(self) -> Result<(), Failure> {
        let (rows, failed) = if self.worker.is_given() || self.offsets_topic.is_some() {
            (self.of_topic()?, None)
        } else {
            self.of_worker()?
        };
        self.print(rows)?;
        failed.map_or(Ok(()), Err)
    }

    fn print(&self, rows: Vec<Row>) -> Result<(), Failure> {
        if self.remote.json {
            for (connector, stream, offset) in rows {
                output::print(json!({
                    "connector": connector,
                    "stream": stream,
                    "shard": offset["shard"],
                    "fragment_number": offset["fragmentNumber"],
                    "continuation_token": offset["continuationToken"],
                    "server_timestamp_ms": offset["serverTimestamp"],
                    "producer_timestamp_ms": offset["producerTimestamp"],
                    "sequence": offset["sequence"],
                }))?;
            }
            return Ok(());
        }
        let row = |(connector, stream, offset): Row| {
            let time = offset["serverTimestamp"].as_i64().map(time_text);
            let fragment = offset["fragmentNumber"].as_str().or(offset["error"].as_str()).unwrap_or("-");
            vec![connector, stream, fragment.to_owned(), time.unwrap_or_else(|| "-".to_owned())]
        };
        print_table(&["CONNECTOR", "STREAM", "FRAGMENT", "SERVER TIME"], &rows.into_iter().map(row).collect::<Vec<_>>())
    }

    /// Lists the offsets by asking a worker.
    fn of_worker(&self) -> Result<(Vec<Row>, Option<Failure>), Failure> {
        let api = self.remote.connect()?;
        let names = match &self.connector {
            Some(name) => vec![name.clone()],
            None => {
                let names = api.call(Method::GET, &["connectors"], "", None)?;
                names.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
            }
        };
        let (mut rows, mut failed) = (Vec::new(), None);
        for name in names {
            let answer = match api.call(Method::GET, &["connectors", &name, "offsets"], "", None) {
                Ok(answer) => answer,
                // One whose offsets cannot be read hides no other's.
                Err(failure) if self.connector.is_none() => {
                    failed = Some(failure.after(failed));
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            for one in answer["offsets"].as_array().into_iter().flatten() {
                let stream = one["partition"]["stream"].as_str().unwrap_or("-").to_owned();
                rows.push((name.clone(), stream, one["offset"].clone()));
            }
        }
        Ok((rows, failed))
    }

    /// Lists the offsets by reading the topic.
    fn of_topic(&self) -> Result<Vec<Row>, Failure> {
        let worker = self.worker.load().map_err(|problems| Failure::config(&problems))?;
        let listed = read(&worker, self.offsets_topic.as_deref())?
            .into_iter()
            .filter(|((connector, _), _)| self.connector.as_ref().is_none_or(|wanted| wanted == connector));
        let row = |((connector, stream), (shard, offset)): ((String, String), (ShardId, StoredOffset))| {
            let mut json: Value = serde_json::from_slice(&offset.to_bytes()).unwrap_or_default();
            json["shard"] = shard.0.into();
            (connector, stream, json)
        };
        Ok(listed.map(row).collect())
    }
}

/// Expects Kafka to answer and the offsets topic to be there, the worker's with its number of shards: what comes after says
/// it less well. Returns how many shards there are; partitions that were added to the topic are none.
fn expect_topic(worker: &WorkerConfig, own: Option<&str>, log: &KafkaLog) -> Result<ShardCount, Failure> {
    let (topic, servers) = (own.unwrap_or(&worker.offsets_topic), &worker.bootstrap_servers);
    let setting = if own.is_some() { "--offsets-topic" } else { "offset.storage.topic" };
    let found = brokers::partitions(&brokers::connect(worker)?, topic).map_err(|reason| {
        let text = format!("topic {topic} at {servers}: {reason}; {setting} says which it is (--worker, --set)");
        Failure::new(EXIT_UNAVAILABLE, text)
    })?;
    let partitions = i32::try_from(found.len()).ok().and_then(ShardCount::new).unwrap_or(worker.shards);
    if own.is_none() && partitions == worker.shards {
        return Ok(partitions);
    }
    let ours = plan::contract(worker);
    let agreed = log.with_reader(|reader| agreed_count(reader, partitions, &ours));
    let count = agreed.map_err(|error| not_agreed(topic, &error))?.unwrap_or(partitions);
    if own.is_some() || count == worker.shards {
        return Ok(count);
    }
    let (found, expected) = (count.get(), worker.shards.get());
    let reason = format!(
        "topic {topic} at {servers}: it has {found} partitions and offset.storage.partitions is {expected}; pass the worker's \
         file (--worker), or --set offset.storage.partitions={found}"
    );
    Err(Failure::new(EXIT_CONFIG, reason))
}

fn not_agreed(topic: &str, error: &AgreedError) -> Failure {
    match error {
        AgreedError::Contract(error) => other_contract(topic, error),
        error => Failure::new(EXIT_UNAVAILABLE, format!("topic {topic}: {error}")),
    }
}

fn other_contract(topic: &str, error: &ContractError) -> Failure {
    let text = format!("topic {topic}: {error}; pass the worker's file (--worker), or its settings with --set");
    Failure::new(EXIT_CONFIG, text)
}

/// The offsets by connector and stream, with the shard of each.
pub(super) type Listed = BTreeMap<(String, String), (ShardId, StoredOffset)>;

/// Reads the offsets in the worker's topic, or in one that connectors have of their own.
pub(super) fn read(worker: &WorkerConfig, own: Option<&str>) -> Result<Listed, Failure> {
    let topic = own.unwrap_or(&worker.offsets_topic);
    let unavailable = |error: &dyn std::fmt::Display| Failure::new(EXIT_UNAVAILABLE, format!("topic {topic}: {error}"));
    let log = KafkaLog::new(plan::kafka_settings(worker).on_topic(topic));
    let count = expect_topic(worker, own, &log)?;
    let contract = plan::contract(worker).with_partitions(count);
    let mut listed = Listed::new();
    for shard in (0..count.get()).map(ShardId) {
        let recovered = log.with_reader(|reader| recover(reader, shard, &contract, STALL_TIMEOUT, &|| true));
        let recovered = recovered.map_err(|error| match error {
            RecoverError::Contract(error) => other_contract(topic, &error),
            error => unavailable(&error),
        })?;
        for (key, offset) in recovered.into_offsets() {
            let OffsetKey { connector, stream } = key;
            // If a stream has two positions, the higher one counts.
            let place = listed.entry((connector, stream)).or_insert_with(|| (shard, offset.clone()));
            if place.1.fragment_number < offset.fragment_number {
                *place = (shard, offset);
            }
        }
    }
    Ok(listed)
}
