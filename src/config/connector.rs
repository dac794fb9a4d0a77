//! A connector's settings: a flat map of strings, in Connect's JSON.

pub mod dead_letters;
pub mod frames;
pub mod group_topics;
pub mod payload;
pub mod routing;
mod service;
mod start;
mod streams;
mod time;
pub mod topics;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use dead_letters::DeadLetterConfig;
use frames::FramesConfig;
use kvs_client::{ArchiveBounds, ClientConfig, IdlePolicy, Limits, PullerConfig, files};
use payload::PayloadConfig;
use routing::RoutingConfig;
use serde_json::Value;

use super::converter_keys::{OwnNames, own_names};
use super::error::ValueError;
use super::reader::Reader;
use super::registry::{Converters, RegistrySettings};
pub use super::restart::ErrorsTolerance;
use super::restart::RestartPolicy;
use super::table::connector::{
    CLASS as CLASS_KEY, NAME, TASKS_MAX, frames as frames_keys, payload as payload_keys, pulling, records,
    routing as routing_keys, start as position,
};
use super::table::value;
use super::{Problem, json, keys, properties};
use crate::model::{PayloadMode, RecordTimestamp, Template, VALUE_HEADROOM_BYTES, ValueFormat};

pub(super) use service::check_proxy;
pub use streams::{Discovery, StreamsConfig};
pub use time::parse_moment;
pub(crate) use time::shown;

/// The only connector class, without a package; settings may name it with any package.
pub const CLASS: &str = "KinesisVideoSourceConnector";
/// The class with a package, as Kafka Connect shows classes.
pub const CLASS_PATH: &str = "com.github.kvsconnect.KinesisVideoSourceConnector";

/// The problem of a connector without a name.
const NAME_REQUIRED: &str = "is required, as a string";

/// Returns whether this is the connector's class: with or without a package, and with or without `Connector` at its
/// end, as Kafka Connect accepts aliases.
pub fn is_class(name: &str) -> bool {
    let name = name.rsplit('.').next().unwrap_or(name);
    name == CLASS || Some(name) == CLASS.strip_suffix("Connector")
}

/// A connector's checked settings.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    /// The connector's name.
    pub name: String,
    /// The source of the settings.
    pub place: String,
    /// `kvs.streams`, or the conditions of discovery.
    pub streams: StreamsConfig,
    /// How the service is reached.
    pub client: ClientConfig,
    /// How streams are pulled.
    pub puller: PullerConfig,
    /// `kvs.silent.after.ms`; `None`: silence is not reported.
    pub silent_after: Option<Duration>,
    /// `errors.retry.*`.
    pub restart: RestartPolicy,
    /// `errors.tolerance`.
    pub errors_tolerance: ErrorsTolerance,
    /// `kvs.backfill.*`: the range of the archive to publish, if the connector is a backfill.
    pub backfill: Option<ArchiveBounds>,
    /// `errors.deadletterqueue.*`, if there is such a topic.
    pub dead_letters: Option<DeadLetterConfig>,
    /// `topic`.
    pub topic: Template,
    /// `metadata.topic`.
    pub metadata_topic: Option<Template>,
    /// `frames.*`, if there is a topic for frames.
    pub frames: Option<FramesConfig>,
    /// `tracks`, `record.*` and `topics.max`.
    pub routing: RoutingConfig,
    /// `payload.*`.
    pub payload: PayloadConfig,
    /// `value.format`.
    pub value_format: ValueFormat,
    /// `topic.creation.default.partitions`.
    pub topic_partitions: i32,
    /// `topic.creation.default.replication.factor`.
    pub topic_replication_factor: i32,
    /// Other `topic.creation.default.*`.
    pub topic_config: BTreeMap<String, String>,
    /// `key.converter`, `value.converter` and the schema registry; with the worker's as defaults once they have been checked
    /// against a worker.
    pub converters: Converters,
    /// The settings that those come from.
    pub(super) registry: RegistrySettings,
    /// `record.timestamp`.
    pub record_timestamp: RecordTimestamp,
    /// `offsets.storage.topic`, where it is not the worker's.
    pub offsets_topic: Option<String>,
    /// How ambiguous settings were understood, for people.
    pub notes: Vec<String>,
}

impl ConnectorConfig {
    /// `kvs.fragment.max.size.bytes`.
    pub fn fragment_max_size_bytes(&self) -> usize {
        self.puller.limits.fragment_size_bytes
    }

    /// Returns the setting because of which the media of a fragment are in memory a second time while it is published.
    pub fn copies_media(&self) -> Option<&'static str> {
        let has_frames = self.frames.as_ref().is_some_and(|frames| frames.payload_mode == PayloadMode::Inline);
        [
            (has_frames, frames_keys::TOPIC.name()),
            (self.topic.has_track(), records::TOPIC.name()),
            (!self.routing.publishes_all(), routing_keys::TRACKS.name()),
            (self.payload.mode == PayloadMode::Chunked, payload_keys::MODE.name()),
        ]
        .into_iter()
        .find_map(|(copies, name)| copies.then_some(name))
    }

    /// Returns whether no record has a timestamp before the service received its fragment.
    pub fn timestamps_follow_service(&self) -> bool {
        self.record_timestamp != RecordTimestamp::Producer
    }

    /// Returns how many bytes of the memory budget each byte of a fragment takes.
    pub fn memory_factor(&self) -> u32 {
        if self.copies_media().is_some() { 2 } else { 1 }
    }
}

/// Reads a connector's file, by its name either in Connect's JSON, `{"name": …, "config": {…}}`, or in Java properties,
/// as Connect's standalone mode has them.
///
/// # Errors
/// All problems.
pub fn load(file: &Path) -> Result<ConnectorFile, Vec<Problem>> {
    let place = file.display().to_string();
    let whole = |reason: String| vec![Problem::new(&place, "", reason)];
    let text = files::read_text(file).map_err(|error| whole(error.on_command_line(file)))?;
    if properties::is_name(file) { parse_properties(&place, &text) } else { parse(&place, &text) }
}

/// Reads the Java properties of a connector.
fn parse_properties(place: &str, text: &str) -> Result<ConnectorFile, Vec<Problem>> {
    let settings = properties::parse(text).map_err(|problems| {
        problems.into_iter().map(|(key, reason)| Problem::new(place, &key, reason)).collect::<Vec<_>>()
    })?;
    if settings.contains_key(NAME.name()) {
        return Ok(ConnectorFile { place: place.to_owned(), settings });
    }
    Err(from_settings(place, &settings).err().unwrap_or_default())
}

/// Reads the JSON of a connector; `place` is the source that problems name.
///
/// # Errors
/// All problems.
pub fn parse(place: &str, text: &str) -> Result<ConnectorFile, Vec<Problem>> {
    let whole = |reason: String| vec![Problem::new(place, "", reason)];
    let value: Value = json::from_slice(text.as_bytes())
        .map_err(|error| whole(format!("not JSON: {error}{}", properties::hint_for_connectors(text))))?;
    let Value::Object(mut document) = value else {
        return Err(whole(r#"{"name": "…", "config": {…}} was expected"#.to_owned()));
    };
    let mut problems = Vec::new();
    let name = document.remove("name");
    let config = document.remove("config");
    for key in document.keys() {
        problems.push(Problem::new(place, key, "unknown member; only name and config are allowed"));
    }
    let Some(Value::Object(config)) = config else {
        problems.push(Problem::new(place, "config", "an object of settings is required"));
        return Err(problems);
    };
    let mut settings = flat(place, config, &mut problems);
    let inner_name = settings.remove(NAME.name());
    let name = match (name, inner_name) {
        (Some(Value::String(outer)), Some(inner)) if outer != inner => {
            problems.push(Problem::new(place, NAME.name(), format!("{outer:?} beside config and {inner:?} within it")));
            None
        }
        (Some(Value::String(name)), _) | (None, Some(name)) => Some(name),
        _ => {
            problems.push(Problem::new(place, NAME.name(), NAME_REQUIRED));
            None
        }
    };
    if let Some(name) = &name {
        settings.insert(NAME.name().to_owned(), name.clone());
    }
    if problems.is_empty() {
        return Ok(ConnectorFile { place: place.to_owned(), settings });
    }
    // All other problems are reported at once, too.
    problems
        .extend(from_settings(place, &settings).err().unwrap_or_default().into_iter().filter(|p| p.key != NAME.name()));
    Err(problems)
}

/// A connector from a file or a request: its unresolved settings, including its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorFile {
    /// The source of the settings.
    pub place: String,
    /// The settings.
    pub settings: BTreeMap<String, String>,
}

impl ConnectorFile {
    /// Returns the connector's name.
    pub fn name(&self) -> &str {
        self.settings.get(NAME.name()).map_or("", String::as_str)
    }
}

/// Returns a JSON value as the text of a setting; `None` if it is neither a string, a number nor a boolean. Kafka
/// Connect accepts these as text, too.
pub fn setting_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Returns the members of a JSON object as text.
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

/// Reads settings, including `name`, whose references are resolved; `place` is the source that problems name.
///
/// # Errors
/// All problems.
pub fn from_settings(place: &str, settings: &BTreeMap<String, String>) -> Result<ConnectorConfig, Vec<Problem>> {
    let mut problems = Vec::new();
    let name = settings.get(NAME.name()).cloned();
    match name.as_deref().map(value::check_connector_name) {
        None => problems.push(Problem::new(place, NAME.name(), NAME_REQUIRED)),
        Some(Err(error)) => problems.push(Problem::new(place, NAME.name(), error.to_string())),
        Some(Ok(())) => {}
    }
    for (key, value) in settings {
        if let Err(error) = keys::check_connector(key, value) {
            problems.push(Problem::new(place, key, error.to_string()));
        }
    }
    let OwnNames { settings, written, problems: contradictions } = own_names(settings, String::as_str);
    problems.extend(contradictions.iter().map(|(key, error)| Problem::new(place, key, error.to_string())));
    let config = Reader::of_one_place(place, &settings, &mut problems).written_as(written).connector(name);
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// Returns which streams settings name, or `None` if those settings are wrong. They cannot contain references.
pub fn streams_of(settings: &BTreeMap<String, String>) -> Option<StreamsConfig> {
    Reader::of_one_place("settings", settings, &mut Vec::new()).streams()
}

impl Reader<'_> {
    /// Reads all fields, so that all problems are found, before a missing one ends the function.
    fn connector(mut self, name: Option<String>) -> Option<ConnectorConfig> {
        self.class();
        let _ = self.read(&TASKS_MAX);
        let client = self.client();
        let streams = self.streams();
        let one = matches!(&streams, Some(StreamsConfig::Listed(streams)) if streams.len() == 1) || streams.is_none();
        let puller = self.puller(one, client.as_ref().map(|client| client.retry));
        let silent_after = self.read(&pulling::SILENT_AFTER);
        let restart = self.restart();
        let errors_tolerance = self.read(&pulling::TOLERANCE);
        let backfill = self.backfill(one);
        let dead_letters = self.dead_letters(errors_tolerance);
        let connector_name = name.as_deref().unwrap_or_default();
        let topic = self.read(&records::TOPIC);
        let topic = topic.and_then(|topic| self.topic_of(&records::TOPIC, &topic, connector_name));
        let metadata_topic = self.topic_beside(&records::METADATA_TOPIC, topic.as_ref(), connector_name);
        let frames = self.frames(connector_name);
        let routing = self.routing();
        let payload = self.payload(client.as_ref(), topic.as_ref(), connector_name);
        let value_format = self.read(&records::VALUE_FORMAT);
        let topic_partitions = self.read(&records::PARTITIONS);
        let topic_replication_factor = self.read(&records::REPLICATION);
        let registry = self.registry();
        let record_timestamp = self.read(&records::TIMESTAMP);
        let offsets_topic = self.read_optional(&records::OFFSETS_TOPIC);
        Some(ConnectorConfig {
            name: name?,
            place: self.place.to_owned(),
            streams: streams?,
            client: client?,
            puller: puller?,
            silent_after: Some(silent_after?).filter(|after| !after.is_zero()),
            restart: restart?,
            errors_tolerance: errors_tolerance?,
            dead_letters: dead_letters?,
            backfill: backfill?,
            topic: topic?,
            metadata_topic: metadata_topic?,
            frames: frames?,
            routing: routing?,
            payload: payload?,
            value_format: value_format?,
            topic_partitions: topic_partitions?,
            topic_replication_factor: topic_replication_factor?,
            topic_config: self.topic_config(),
            converters: registry.as_ref()?.converters(),
            registry: registry?,
            record_timestamp: record_timestamp?,
            offsets_topic: offsets_topic?,
            notes: self.notes,
        })
    }

    fn puller(&mut self, one: bool, retry: Option<kvs_client::RetryPolicy>) -> Option<PullerConfig> {
        let start = self.start(one);
        let position_lost = self.read(&position::LOST);
        let gap_check = self.read(&position::GAP_CHECK);
        let fragment_size_bytes = self.read(&pulling::FRAGMENT_MAX_SIZE);
        let slow_retry_delay = self.read(&pulling::RETRY_SLOW_DELAY);
        let idle_cap = self.read(&pulling::IDLE_MAX_DELAY);
        let silence_fails = self.read(&pulling::INACTIVITY_FAILS);
        let caught_up_ms = self.read(&pulling::CAUGHT_UP);
        let start = start?;
        let mut idle = IdlePolicy::default();
        idle.cap = idle_cap?;
        idle.silence_fails = silence_fails?;
        let mut puller = PullerConfig::default();
        puller.start = start.selector;
        puller.start_inclusive = start.inclusive;
        puller.position_lost = position_lost?;
        puller.gap_check = gap_check?;
        puller.limits = Limits::default().with_fragment_size_bytes(fragment_size_bytes?);
        puller.headroom_bytes = VALUE_HEADROOM_BYTES;
        puller.retry = retry?;
        puller.slow_retry_delay = slow_retry_delay?;
        puller.idle = idle;
        puller.caught_up_ms = caught_up_ms?;
        Some(puller)
    }

    fn restart(&mut self) -> Option<RestartPolicy> {
        let timeout_ms = self.read(&pulling::RESTART_TIMEOUT);
        let base = self.read(&pulling::RESTART_BASE);
        let cap = self.read(&pulling::RESTART_MAX);
        // A negative value means for ever.
        let timeout = timeout_ms.map(|millis| u64::try_from(millis).ok().map(Duration::from_millis));
        Some(RestartPolicy { timeout: timeout?, base: base?, cap: cap? })
    }

    fn class(&mut self) {
        if let Some(class) = self.read(&CLASS_KEY)
            && !is_class(&class)
        {
            self.problem(&CLASS_KEY, format!("{class:?}: the only connector class is {CLASS}"));
        }
    }

    fn topic_config(&mut self) -> BTreeMap<String, String> {
        let own = [records::PARTITIONS.name(), records::REPLICATION.name()];
        let given = self.all().filter(|(key, ..)| key.starts_with(keys::TOPIC_CREATION_PREFIX)).collect::<Vec<_>>();
        let mut configs = BTreeMap::new();
        for (key, _, value) in given {
            if key.contains('\0') || value.contains('\0') {
                self.problem_at(key, ValueError::Nul);
            }
            if let Some(name) = key.strip_prefix(keys::TOPIC_CREATION_PREFIX)
                && !own.contains(&key)
            {
                configs.insert(name.to_owned(), value.to_owned());
            }
        }
        configs
    }
}

#[cfg(test)]
#[path = "connector/connector_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "connector/start_tests.rs"]
mod start_tests;
