//! A connector's settings: a flat map of strings, in Connect's JSON.

mod reader;
mod service;
mod start;
mod streams;
mod time;

use std::collections::BTreeMap;
use std::path::Path;

use kvs_client::{ArchiveBounds, ClientConfig, IdlePolicy, Limits, PositionLost, PullerConfig, files};
use serde_json::Value;

use super::restart::RestartPolicy;
use super::{Problem, check, json, keys, properties};
use crate::record::{HEADROOM_BYTES, KeyFormat, RecordTimestamp};

use reader::Reader;
pub use streams::{Discovery, StreamsConfig};
pub(crate) use time::shown;

/// The one class there is, as settings name it; with a package in front it is the same.
pub const CLASS: &str = "KinesisVideoSourceConnector";
/// The class as it is shown, as Connect shows classes.
pub const CLASS_PATH: &str = "com.github.kvsconnect.KinesisVideoSourceConnector";

/// Whether a name is the class's: with a package or without, with `Connector` or without, as Connect takes aliases.
pub fn is_class(name: &str) -> bool {
    let name = name.rsplit('.').next().unwrap_or(name);
    name == CLASS || Some(name) == CLASS.strip_suffix("Connector")
}

/// What becomes of a stream at a fragment that cannot be parsed, however often it is pulled (`errors.tolerance`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErrorsTolerance {
    /// The stream's task is FAILED, and the fragment is not passed over.
    #[default]
    None,
    /// The fragment is passed over, with a notification, and the stream goes on behind it.
    All,
}

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
    /// `errors.retry.*`.
    pub restart: RestartPolicy,
    /// `errors.tolerance`.
    pub errors_tolerance: ErrorsTolerance,
    /// `kvs.backfill.*`: a job on the archive instead of pulling.
    pub backfill: Option<ArchiveBounds>,
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
    /// `offsets.storage.topic`, which has to be the worker's.
    pub offsets_topic: Option<String>,
    /// How settings were understood that could have been meant otherwise, for people.
    pub notes: Vec<String>,
}

impl ConnectorConfig {
    /// `kvs.fragment.max.size.bytes`.
    pub fn fragment_max_size_bytes(&self) -> usize {
        self.puller.limits.fragment_size_bytes
    }
}

/// Reads a file in Connect's JSON, `{"name": …, "config": {…}}`, or as Connect's standalone mode has it, in
/// Java properties, by the file's name.
///
/// # Errors
/// All problems there are.
pub fn load(file: &Path) -> Result<Given, Vec<Problem>> {
    let place = file.display().to_string();
    let whole = |reason: String| vec![Problem::new(&place, "", reason)];
    let text = files::read_text(file).map_err(|error| whole(error.on_command_line(file)))?;
    if properties::is_name(file) { parse_properties(&place, &text) } else { parse(&place, &text) }
}

/// Reads the Java properties of a connector.
fn parse_properties(place: &str, text: &str) -> Result<Given, Vec<Problem>> {
    let settings = properties::parse(text).map_err(|problems| {
        problems.into_iter().map(|(key, reason)| Problem::new(place, &key, reason)).collect::<Vec<_>>()
    })?;
    if settings.contains_key("name") {
        return Ok(Given { place: place.to_owned(), settings });
    }
    Err(from_settings(place, &settings).err().unwrap_or_default())
}

/// Reads the JSON of a connector; `place` is for problems.
///
/// # Errors
/// All problems there are.
pub fn parse(place: &str, text: &str) -> Result<Given, Vec<Problem>> {
    let whole = |reason: String| vec![Problem::new(place, "", reason)];
    let value: Value = json::from_slice(text.as_bytes())
        .map_err(|error| whole(format!("no JSON: {error}{}", properties::hint_for_connectors(text))))?;
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
    let mut settings = flat(place, config, &mut problems);
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
    if let Some(name) = &name {
        settings.insert("name".to_owned(), name.clone());
    }
    if problems.is_empty() {
        return Ok(Given { place: place.to_owned(), settings });
    }
    // What else is wrong is said at once.
    problems.extend(from_settings(place, &settings).err().unwrap_or_default().into_iter().filter(|p| p.key != "name"));
    Err(problems)
}

/// A connector's settings as they were given, with its name among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Where they were read from.
    pub place: String,
    /// The settings.
    pub settings: BTreeMap<String, String>,
}

impl Given {
    /// The connector's name.
    pub fn name(&self) -> &str {
        self.settings.get("name").map_or("", String::as_str)
    }
}

/// A JSON value as the text of a setting; `None`: it is neither text, number nor flag. Connect takes those for text, too.
pub fn setting_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// A JSON object's members as text.
fn flat(place: &str, config: serde_json::Map<String, Value>, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for (key, value) in config {
        match setting_text(&value) {
            Some(text) => _ = settings.insert(key, text),
            None => problems.push(Problem::new(place, &key, "a string was expected")),
        }
    }
    settings
}

/// Reads settings whose references are resolved, `name` among them; `place` is for problems.
///
/// # Errors
/// All problems there are.
pub fn from_settings(place: &str, settings: &BTreeMap<String, String>) -> Result<ConnectorConfig, Vec<Problem>> {
    let mut problems = Vec::new();
    let name = settings.get("name").cloned();
    match name.as_deref().map(check::connector_name) {
        None => problems.push(Problem::new(place, "name", "is required, as a string")),
        Some(Err(reason)) => problems.push(Problem::new(place, "name", reason)),
        Some(Ok(())) => {}
    }
    for (key, value) in settings {
        if let Err(reason) = keys::check_connector(key, value) {
            problems.push(Problem::new(place, key, reason));
        }
    }
    let config = Reader { settings, place, problems: &mut problems, notes: Vec::new() }.read(name);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// Which streams settings name; no reference can stand in those. `None`: they are wrong.
pub fn streams_of(settings: &BTreeMap<String, String>) -> Option<StreamsConfig> {
    Reader { settings, place: "settings", problems: &mut Vec::new(), notes: Vec::new() }.streams()
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
        let restart = self.restart();
        let errors_tolerance =
            self.one_of("errors.tolerance", "none", &[("none", ErrorsTolerance::None), ("all", ErrorsTolerance::All)]);
        let backfill = self.backfill(one);
        let topic = self.topic();
        let topic_partitions = self.number("topic.creation.default.partitions", 6, 1, 10_000);
        let topic_replication_factor = self.replication("topic.creation.default.replication.factor");
        let key_format = self.key_format();
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
            restart: restart?,
            errors_tolerance: errors_tolerance?,
            backfill: backfill?,
            topic: topic?,
            topic_partitions: i32::try_from(topic_partitions?).ok()?,
            topic_replication_factor: topic_replication_factor?,
            topic_config: self.topic_config(),
            key_format: key_format?,
            record_timestamp: record_timestamp?,
            offsets_topic: self.text("offsets.storage.topic"),
            notes: self.notes,
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
        let start = start?;
        let mut idle = IdlePolicy::default();
        idle.cap = idle_cap?;
        idle.silence_fails = silence_fails?;
        let mut puller = PullerConfig::default();
        puller.start = start.selector;
        puller.start_inclusive = start.inclusive;
        puller.position_lost = position_lost?;
        puller.gap_check = gap_check?;
        puller.limits =
            Limits { fragment_size_bytes: usize::try_from(fragment_size_bytes?).ok()?, ..Limits::default() };
        puller.headroom_bytes = HEADROOM_BYTES;
        puller.retry = retry?;
        puller.slow_retry_delay = slow_retry_delay?;
        puller.idle = idle;
        puller.caught_up_ms = i64::try_from(caught_up_ms?).ok()?;
        Some(puller)
    }

    /// Connect's `errors.retry.timeout` counts milliseconds without saying so.
    fn restart(&mut self) -> Option<RestartPolicy> {
        const TIMEOUT: &str = "errors.retry.timeout";
        let timeout = match self.get(TIMEOUT).unwrap_or("-1") {
            "-1" => Some(None),
            _ => self.millis(TIMEOUT, 0, 0, 31_536_000_000).map(Some),
        };
        let base = self.millis("errors.retry.delay.base.ms", 10_000, 1, 3_600_000);
        let cap = self.millis("errors.retry.delay.max.ms", 60_000, 1, 86_400_000);
        Some(RestartPolicy { timeout: timeout?, base: base?, cap: cap? })
    }

    /// Connect's names of the same are taken, too.
    fn key_format(&mut self) -> Option<KeyFormat> {
        const KEY: &str = "key.converter";
        let name = self.get(KEY).map(|name| name.rsplit('.').next().unwrap_or(name).to_owned());
        match name.as_deref() {
            Some("StringConverter") => Some(KeyFormat::Text),
            Some(
                "AvroConverter" | "ByteArrayConverter" | "JsonConverter" | "JsonSchemaConverter" | "ProtobufConverter",
            ) => {
                self.problem(
                    KEY,
                    "keys are the stream's name as text (string, StringConverter), or Avro in the \
                    single-object encoding, without a schema registry (avro)",
                );
                None
            }
            _ => self.one_of(KEY, "string", &[("string", KeyFormat::Text), ("avro", KeyFormat::Avro)]),
        }
    }

    fn class(&mut self) {
        if let Some(class) = self.required("connector.class")
            && !is_class(&class)
        {
            self.problem("connector.class", format!("{class:?}: the only one here is {CLASS}"));
        }
    }

    fn topic(&mut self) -> Option<String> {
        let topic = self.required("topic")?;
        let valid = check::topic_name(&topic);
        self.checked("topic", valid.map(|()| topic))
    }

    fn topic_config(&mut self) -> BTreeMap<String, String> {
        let own = ["partitions", "replication.factor"];
        for (key, value) in self.settings {
            // Kafka's clients are in C, where a text ends there.
            if key.starts_with(keys::TOPIC_CREATION_PREFIX) && (key.contains('\0') || value.contains('\0')) {
                self.problem(key, "no NUL character was expected");
            }
        }
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

#[cfg(test)]
#[path = "connector/start_tests.rs"]
mod start_tests;
