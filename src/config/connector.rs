//! A connector's settings: a flat map of strings, in Connect's JSON.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use kvs_client::{CredentialsSource, PositionLost, StartSelector, StreamRef, Timestamp};
use serde_json::Value;

use super::{Problem, check, keys};
use crate::record::{KeyFormat, RecordTimestamp};

const CLASS: &str = "KinesisVideoSourceConnector";

/// A connector's settings, checked.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    /// Name.
    pub name: String,
    /// Where it was read from.
    pub place: String,
    /// `kvs.region`.
    pub region: String,
    /// `kvs.endpoint`.
    pub endpoint: Option<String>,
    /// `kvs.streams`.
    pub streams: Vec<StreamRef>,
    /// `kvs.start.*`.
    pub start: StartSelector,
    /// `kvs.position.lost`.
    pub position_lost: PositionLost,
    /// `kvs.fragment.max.size.bytes`.
    pub fragment_max_size_bytes: usize,
    /// `kvs.connect.timeout.ms`.
    pub connect_timeout: Duration,
    /// `kvs.inactivity.timeout.ms`.
    pub inactivity_timeout: Duration,
    /// `kvs.retry.base.delay.ms`.
    pub retry_base_delay: Duration,
    /// `kvs.retry.max.delay.ms`.
    pub retry_max_delay: Duration,
    /// `kvs.credentials.*`.
    pub credentials: CredentialsSource,
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

struct Reader<'a> {
    settings: &'a BTreeMap<String, String>,
    place: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    /// Every field is read before one that is missing ends it, so that all problems are found.
    fn read(mut self, name: Option<String>) -> Option<ConnectorConfig> {
        self.class();
        let _ = self.number("tasks.max", 1, 1, 1_000_000);
        let region = self.region();
        let endpoint = self.endpoint();
        let streams = self.streams();
        let start = self.start(streams.as_ref().map_or(0, Vec::len));
        let position_lost = self.one_of(
            "kvs.position.lost",
            "earliest",
            &[("earliest", PositionLost::Earliest), ("now", PositionLost::Now), ("fail", PositionLost::Fail)],
        );
        let fragment_max_size_bytes = self.number("kvs.fragment.max.size.bytes", 64 << 20, 1024, 512 << 20);
        let connect_timeout_ms = self.number("kvs.connect.timeout.ms", 5_000, 1, 600_000);
        let inactivity_timeout_ms = self.number("kvs.inactivity.timeout.ms", 120_000, 100, 3_600_000);
        let retry_base_delay_ms = self.number("kvs.retry.base.delay.ms", 200, 1, 600_000);
        let retry_max_delay_ms = self.number("kvs.retry.max.delay.ms", 30_000, 1, 3_600_000);
        let credentials = self.credentials();
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
            region: region?,
            endpoint,
            streams: streams?,
            start: start?,
            position_lost: position_lost?,
            fragment_max_size_bytes: usize::try_from(fragment_max_size_bytes?).ok()?,
            connect_timeout: Duration::from_millis(connect_timeout_ms?),
            inactivity_timeout: Duration::from_millis(inactivity_timeout_ms?),
            retry_base_delay: Duration::from_millis(retry_base_delay_ms?),
            retry_max_delay: Duration::from_millis(retry_max_delay_ms?),
            credentials: credentials?,
            topic: topic?,
            topic_partitions: i32::try_from(topic_partitions?).ok()?,
            topic_replication_factor: topic_replication_factor?,
            topic_config: self.topic_config(),
            key_format: key_format?,
            record_timestamp: record_timestamp?,
        })
    }

    fn problem(&mut self, key: &str, reason: impl Into<String>) {
        self.problems.push(Problem::new(self.place, key, reason));
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(|value| value.trim())
    }

    fn required(&mut self, key: &str) -> Option<String> {
        let value = self.get(key).filter(|value| !value.is_empty()).map(str::to_owned);
        if value.is_none() {
            self.problem(key, "is required");
        }
        value
    }

    fn class(&mut self) {
        if let Some(class) = self.required("connector.class")
            && class != CLASS
            && !class.ends_with(&format!(".{CLASS}"))
        {
            self.problem("connector.class", format!("{class:?}: the only one here is {CLASS}"));
        }
    }

    fn region(&mut self) -> Option<String> {
        let region = self.required("kvs.region")?;
        let valid = region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !valid || region.len() > 64 {
            self.problem("kvs.region", format!("{region:?} is no AWS region"));
            return None;
        }
        Some(region)
    }

    fn endpoint(&mut self) -> Option<String> {
        let endpoint = self.get("kvs.endpoint").filter(|value| !value.is_empty())?.to_owned();
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            self.problem("kvs.endpoint", format!("{endpoint:?}: an http or https URL was expected"));
        }
        Some(endpoint)
    }

    fn streams(&mut self) -> Option<Vec<StreamRef>> {
        const KEY: &str = "kvs.streams";
        let text = self.required(KEY)?;
        let mut streams: Vec<StreamRef> = Vec::new();
        let mut valid = true;
        for part in text.split(',').map(str::trim) {
            match part.parse::<StreamRef>() {
                Ok(stream) if streams.iter().any(|known| known.name() == stream.name()) => {
                    self.problem(KEY, format!("stream {} is given twice", stream.name()));
                    valid = false;
                }
                Ok(stream) => streams.push(stream),
                Err(error) => {
                    self.problem(KEY, error.to_string());
                    valid = false;
                }
            }
        }
        valid.then_some(streams)
    }

    fn start(&mut self, streams: usize) -> Option<StartSelector> {
        const KEY: &str = "kvs.start.position";
        const NUMBER: &str = "kvs.start.fragment.number";
        const TIMESTAMP: &str = "kvs.start.timestamp";
        const TOKEN: &str = "kvs.start.continuation.token";
        let kind = self.get(KEY).unwrap_or("EARLIEST").to_owned();
        let companion = match kind.as_str() {
            "EARLIEST" | "NOW" => None,
            "FRAGMENT_NUMBER" => Some(NUMBER),
            "PRODUCER_TIMESTAMP" | "SERVER_TIMESTAMP" => Some(TIMESTAMP),
            "CONTINUATION_TOKEN" => Some(TOKEN),
            other => {
                self.problem(
                    KEY,
                    format!(
                        "{other:?}: one of EARLIEST, NOW, FRAGMENT_NUMBER, PRODUCER_TIMESTAMP, SERVER_TIMESTAMP, \
                     CONTINUATION_TOKEN was expected"
                    ),
                );
                return None;
            }
        };
        for key in [NUMBER, TIMESTAMP, TOKEN] {
            if Some(key) != companion && self.get(key).is_some() {
                self.problem(key, format!("is not for {KEY}={kind}"));
            }
        }
        let value = match companion {
            None => String::new(),
            Some(key) => self.required(key)?,
        };
        match kind.as_str() {
            "NOW" => Some(StartSelector::Now),
            "FRAGMENT_NUMBER" => match value.parse() {
                Ok(number) => Some(StartSelector::FragmentNumber(number)),
                Err(error) => {
                    self.problem(NUMBER, format!("{value:?}: {error}"));
                    None
                }
            },
            "PRODUCER_TIMESTAMP" | "SERVER_TIMESTAMP" => {
                let Some(timestamp) = parse_timestamp(&value) else {
                    self.problem(TIMESTAMP, format!("{value:?}: RFC 3339 or seconds since 1970 was expected"));
                    return None;
                };
                Some(if kind == "SERVER_TIMESTAMP" {
                    StartSelector::ServerTimestamp(timestamp)
                } else {
                    StartSelector::ProducerTimestamp(timestamp)
                })
            }
            "CONTINUATION_TOKEN" => {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
                if value.len() > 128 || !value.bytes().all(allowed) {
                    self.problem(TOKEN, "1 to 128 characters of [a-zA-Z0-9_.-] were expected");
                    return None;
                }
                if streams > 1 {
                    self.problem(TOKEN, "a token is of one stream; kvs.streams has several");
                }
                Some(StartSelector::ContinuationToken(value))
            }
            _ => Some(StartSelector::Earliest),
        }
    }

    fn credentials(&mut self) -> Option<CredentialsSource> {
        const ID: &str = "kvs.credentials.access.key.id";
        const SECRET: &str = "kvs.credentials.secret.access.key";
        const TOKEN: &str = "kvs.credentials.session.token";
        let value = |key: &str| self.get(key).filter(|value| !value.is_empty()).map(str::to_owned);
        match (value(ID), value(SECRET), value(TOKEN)) {
            (Some(access_key_id), Some(secret_access_key), session_token) => {
                Some(CredentialsSource::Static { access_key_id, secret_access_key, session_token })
            }
            (None, None, None) => Some(CredentialsSource::DefaultChain),
            (id, _, _) => {
                let missing = if id.is_none() { ID } else { SECRET };
                self.problem(missing, format!("{ID} and {SECRET} belong together"));
                None
            }
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

    /// The value, or its problem noted.
    fn checked<T>(&mut self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|reason| self.problem(key, reason)).ok()
    }

    fn number(&mut self, key: &str, default: u64, least: u64, most: u64) -> Option<u64> {
        let Some(text) = self.get(key) else { return Some(default) };
        let result = check::whole_number(text, least, most);
        self.checked(key, result)
    }

    fn replication(&mut self, key: &str) -> Option<i32> {
        let result = check::replication_factor(self.get(key).unwrap_or("-1"));
        self.checked(key, result)
    }

    fn one_of<T: Copy>(&mut self, key: &str, default: &str, values: &[(&str, T)]) -> Option<T> {
        let text = self.get(key).unwrap_or(default).to_owned();
        let found = values.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
            self.problem(key, format!("{text:?}: one of {} was expected", names.join(", ")));
        }
        found
    }
}

fn parse_timestamp(text: &str) -> Option<Timestamp> {
    if let Ok(time) = humantime::parse_rfc3339_weak(text) {
        let since_1970 = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        return i64::try_from(since_1970.as_millis()).ok().map(Timestamp::from_millis);
    }
    let seconds: f64 = text.parse().ok()?;
    let millis = seconds * 1000.0;
    (seconds >= 0.0 && millis < 9e15).then(|| Timestamp::from_millis(millis.round() as i64))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
