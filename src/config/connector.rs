//! A connector's settings: a flat map of strings, in Connect's JSON.

mod reader;
mod service;
mod start;
mod streams;

use std::collections::BTreeMap;
use std::path::Path;

use kvs_client::{ArchiveRange, ClientConfig, IdlePolicy, Limits, PositionLost, PullerConfig};
use serde_json::Value;

use super::{Problem, check, keys};
use crate::record::{HEADROOM_BYTES, KeyFormat, RecordTimestamp};

use reader::Reader;
pub use streams::{Discovery, StreamsConfig};

const CLASS: &str = "KinesisVideoSourceConnector";

/// A connector's settings, checked.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    /// Name.
    pub name: String,
    /// Where it was read from.
    pub place: String,
    /// `kvs.streams`, or what is to be discovered.
    pub streams: StreamsConfig,
    /// How the service is reached.
    pub client: ClientConfig,
    /// How streams are pulled.
    pub puller: PullerConfig,
    /// `kvs.backfill.*`: a job on the archive instead of pulling.
    pub backfill: Option<ArchiveRange>,
    /// `topic`.
    pub topic: String,
    /// `topic.creation.default.partitions`.
    pub topic_partitions: i32,
    /// `topic.creation.default.replication.factor`.
    pub topic_replication_factor: i32,
    /// Other `topic.creation.default.*`.
    pub topic_config: BTreeMap<String, String>,
    /// `key.converter`.
    pub key_format: KeyFormat,
    /// `record.timestamp`.
    pub record_timestamp: RecordTimestamp,
}

impl ConnectorConfig {
    /// `kvs.fragment.max.size.bytes`.
    pub fn fragment_max_size_bytes(&self) -> usize {
        self.puller.limits.fragment_size_bytes
    }
}

/// Reads a file in Connect's JSON: `{"name": …, "config": {…}}`.
///
/// # Errors
/// All problems there are.
pub fn load(file: &Path) -> Result<ConnectorConfig, Vec<Problem>> {
    let place = file.display().to_string();
    let whole = |reason: String| vec![Problem::new(&place, "", reason)];
    let text = std::fs::read_to_string(file).map_err(|error| whole(format!("cannot be read: {error}")))?;
    parse(&place, &text)
}

/// Reads the JSON of a connector; `place` is for problems.
///
/// # Errors
/// All problems there are.
pub fn parse(place: &str, text: &str) -> Result<ConnectorConfig, Vec<Problem>> {
    let whole = |reason: String| vec![Problem::new(place, "", reason)];
    let value: Value = serde_json::from_str(text).map_err(|error| whole(format!("no JSON: {error}")))?;
    let Value::Object(mut document) = value else {
        return Err(whole(r#"{"name": "…", "config": {…}} was expected"#.to_owned()));
    };
    let mut problems = Vec::new();
    let name = document.remove("name");
    let config = document.remove("config");
    for key in document.keys() {
        problems.push(Problem::new(place, key, "unknown member; only name and config stand here"));
    }
    let Some(Value::Object(config)) = config else {
        problems.push(Problem::new(place, "config", "an object of settings is required"));
        return Err(problems);
    };
    let mut settings = BTreeMap::new();
    for (key, value) in config {
        match value {
            Value::String(text) => _ = settings.insert(key, text),
            // Connect takes these for strings too.
            Value::Number(_) | Value::Bool(_) => _ = settings.insert(key, value.to_string()),
            _ => problems.push(Problem::new(place, &key, "a string was expected")),
        }
    }
    let inner_name = settings.remove("name");
    let name = match (name, inner_name) {
        (Some(Value::String(outer)), Some(inner)) if outer != inner => {
            problems.push(Problem::new(place, "name", format!("{outer:?} beside config and {inner:?} within it")));
            None
        }
        (Some(Value::String(name)), _) | (None, Some(name)) => Some(name),
        _ => {
            problems.push(Problem::new(place, "name", "is required, as a string"));
            None
        }
    };
    if let Some(name) = &name
        && let Err(reason) = check::connector_name(name)
    {
        problems.push(Problem::new(place, "name", reason));
    }
    for key in settings.keys() {
        if !keys::is_connector_key(key) {
            problems.push(Problem::new(place, key, keys::unknown(key, keys::CONNECTOR)));
        }
    }
    let config = Reader { settings: &settings, place, problems: &mut problems }.read(name);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

impl Reader<'_> {
    /// Every field is read before one that is missing ends it, so that all problems are found.
    fn read(mut self, name: Option<String>) -> Option<ConnectorConfig> {
        self.class();
        let _ = self.number("tasks.max", 1, 1, 1_000_000);
        let client = self.client();
        let streams = self.streams();
        let one = matches!(&streams, Some(StreamsConfig::Listed(streams)) if streams.len() == 1) || streams.is_none();
        let puller = self.puller(one, client.as_ref().map(|client| client.retry));
        let backfill = self.backfill();
        let topic = self.topic();
        let topic_partitions = self.number("topic.creation.default.partitions", 6, 1, 10_000);
        let topic_replication_factor = self.replication("topic.creation.default.replication.factor");
        let formats = [("string", KeyFormat::Text), ("avro", KeyFormat::Avro)];
        let key_format = self.one_of("key.converter", "string", &formats);
        let record_timestamp = self.one_of(
            "record.timestamp",
            "ingest",
            &[
                ("ingest", RecordTimestamp::Ingest),
                ("producer", RecordTimestamp::Producer),
                ("server", RecordTimestamp::Server),
            ],
        );
        Some(ConnectorConfig {
            name: name?,
            place: self.place.to_owned(),
            streams: streams?,
            client: client?,
            puller: puller?,
            backfill: backfill?,
            topic: topic?,
            topic_partitions: i32::try_from(topic_partitions?).ok()?,
            topic_replication_factor: topic_replication_factor?,
            topic_config: self.topic_config(),
            key_format: key_format?,
            record_timestamp: record_timestamp?,
        })
    }

    fn puller(&mut self, one: bool, retry: Option<kvs_client::RetryPolicy>) -> Option<PullerConfig> {
        let start = self.start(one);
        let position_lost = self.one_of(
            "kvs.position.lost",
            "earliest",
            &[("earliest", PositionLost::Earliest), ("now", PositionLost::Now), ("fail", PositionLost::Fail)],
        );
        let gap_check = self.flag_or("kvs.gap.check", false);
        let fragment_size_bytes = self.number("kvs.fragment.max.size.bytes", 64 << 20, 1024, 512 << 20);
        let slow_retry_delay = self.millis("kvs.retry.slow.delay.ms", 60_000, 1, 86_400_000);
        let idle_cap = self.millis("kvs.idle.max.delay.ms", 2_000, 1, 3_600_000);
        let silence_fails = self.flag_or("kvs.inactivity.fails", false);
        let caught_up_ms = self.number("kvs.caught.up.max.behind.ms", 10_000, 0, 86_400_000);
        Some(PullerConfig {
            start: start?,
            position_lost: position_lost?,
            gap_check: gap_check?,
            limits: Limits { fragment_size_bytes: usize::try_from(fragment_size_bytes?).ok()?, ..Limits::default() },
            headroom_bytes: HEADROOM_BYTES,
            retry: retry?,
            slow_retry_delay: slow_retry_delay?,
            idle: IdlePolicy { cap: idle_cap?, silence_fails: silence_fails?, ..IdlePolicy::default() },
            caught_up_ms: i64::try_from(caught_up_ms?).ok()?,
            ..PullerConfig::default()
        })
    }

    fn class(&mut self) {
        if let Some(class) = self.required("connector.class")
            && class != CLASS
            && !class.ends_with(&format!(".{CLASS}"))
        {
            self.problem("connector.class", format!("{class:?}: the only one here is {CLASS}"));
        }
    }

    fn topic(&mut self) -> Option<String> {
        let topic = self.required("topic")?;
        let valid = check::topic_name(&topic);
        self.checked("topic", valid.map(|()| topic))
    }

    fn topic_config(&self) -> BTreeMap<String, String> {
        let own = ["partitions", "replication.factor"];
        self.settings
            .iter()
            .filter_map(|(key, value)| Some((key.strip_prefix(keys::TOPIC_CREATION_PREFIX)?, value)))
            .filter(|(key, _)| !own.contains(key))
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .collect()
    }
}

#[cfg(test)]
#[path = "connector/connector_tests.rs"]
mod tests;
