//! A worker's settings: defaults < file < environment < command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::converter_keys::{OwnNames, own_names};
use super::error::ValueError;
use super::reader::Reader;
use super::registry::RegistrySettings;
use super::rest::RestConfig;
use super::secrets::{self, Providers};
use super::table::worker::{self as table, rest};
use super::table::{Key, Optional};
use super::{Problem, connect_keys, environment, kafka_names, keys, librdkafka_keys, properties, toml};
use crate::kafka::settings::GroupProtocol;
use crate::model::ShardCount;
use crate::registry::RegistryConfig;

/// A worker's checked settings.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// `bootstrap.servers`.
    pub bootstrap_servers: String,
    /// `group.id`.
    pub group_id: String,
    /// `offset.storage.topic`.
    pub offsets_topic: String,
    /// `offset.storage.partitions`.
    pub shards: ShardCount,
    /// `offset.storage.replication.factor`.
    pub offsets_replication_factor: i32,
    /// `config.storage.topic`.
    pub config_topic: String,
    /// `status.storage.topic`.
    pub status_topic: String,
    /// `notifications.topic`.
    pub notifications_topic: String,
    /// `config.storage.replication.factor`.
    pub config_replication_factor: i32,
    /// `status.storage.replication.factor`.
    pub status_replication_factor: i32,
    /// `listeners` and `rest.*`.
    pub rest: RestConfig,
    /// The converters and the schema registry of connectors that do not set their own.
    pub(super) registry: RegistrySettings,
    /// `config.providers.*`.
    pub providers: Providers,
    /// `group.instance.id`.
    pub group_instance_id: Option<String>,
    /// `group.protocol`.
    pub group_protocol: GroupProtocol,
    /// `session.timeout.ms`.
    pub session_timeout_ms: u64,
    /// `transaction.timeout.ms`.
    pub transaction_timeout_ms: u64,
    /// `transaction.max.size.bytes`.
    pub transaction_max_size_bytes: usize,
    /// `transaction.max.duration.ms`.
    pub transaction_max_duration: Duration,
    /// `memory.budget.size.bytes`.
    pub memory_budget_size_bytes: usize,
    /// `shutdown.timeout.ms`.
    pub shutdown_timeout: Duration,
    /// For all Kafka clients: `security.*`, `ssl.*`, `sasl.*`, `client.*`.
    pub common: BTreeMap<String, String>,
    /// `producer.*`.
    pub producer: BTreeMap<String, String>,
    /// `consumer.*`.
    pub consumer: BTreeMap<String, String>,
    /// `admin.*`.
    pub admin: BTreeMap<String, String>,
    /// The source of each setting that is set.
    places: BTreeMap<String, String>,
}

impl WorkerConfig {
    /// Returns the worker's schema registry, if there is one: for its connectors' defaults, and for its own topics.
    pub fn registry(&self) -> Option<RegistryConfig> {
        self.registry.converters().registry
    }

    /// Returns the settings for a kind of client (`prefix`), or for all kinds, whose librdkafka name passes: key and
    /// source.
    pub fn given_for_client(&self, prefix: &str, passes: impl Fn(&str) -> bool) -> Vec<(&str, &str)> {
        let named = |key: &str| {
            let name = key.strip_prefix(prefix).or_else(|| keys::is_common_key(key).then_some(key));
            name.is_some_and(|name| passes(name) || passes(librdkafka_keys::canonical(name)))
        };
        let given = self.places.iter().filter(|(key, _)| named(key));
        given.map(|(key, place)| (key.as_str(), place.as_str())).collect()
    }
}

/// Reads settings from an optional file, the environment and `KEY=VALUE` arguments.
///
/// # Errors
/// All problems.
pub fn load(file: Option<&Path>, flags: &[(String, String)]) -> Result<WorkerConfig, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut settings = BTreeMap::new();
    let place = file.map_or("worker settings".to_owned(), |file| file.display().to_string());
    if let Some(file) = file {
        // If the file cannot be read or parsed, nothing else is reported: settings in it would seem to be missing.
        read_file(file, &mut settings, &mut problems)?;
    }
    environment::read(&mut settings, std::env::vars_os(), &mut problems);
    for (key, value) in flags {
        settings.insert(key.clone(), ("command line".to_owned(), value.clone()));
    }
    for (key, (place, value)) in &settings {
        if let Err(error) = keys::check_worker(key, value) {
            problems.push(Problem::new(place, key, error.to_string()));
        } else if secrets::has_reference(value) {
            let reason = format!(
                "references only work in connectors' settings, and would be used as they are here; set the value in the \
                 worker's environment, as {}",
                environment::variable(key)
            );
            problems.push(Problem::new(place, key, reason));
        }
    }
    let OwnNames { settings, written, problems: contradictions } =
        own_names(&settings, |(_, value): &(String, String)| value);
    problems.extend(contradictions.iter().map(|(key, error)| Problem::new(&place, key, error.to_string())));
    let config = Reader::of_places(&place, &settings, &mut problems).written_as(written).worker();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// Reads the settings of a file. Keys whose values cannot be settings are added to `problems`.
fn read_file(
    file: &Path,
    settings: &mut BTreeMap<String, (String, String)>,
    problems: &mut Vec<Problem>,
) -> Result<(), Vec<Problem>> {
    let place = file.display().to_string();
    let text = kvs_client::files::read_text(file)
        .map_err(|error| vec![Problem::new(&place, "", error.on_command_line(file))])?;
    if properties::is_name(file) {
        let read = properties::parse(&text).map_err(|wrong| {
            wrong.into_iter().map(|(key, reason)| Problem::new(&place, &key, reason)).collect::<Vec<_>>()
        })?;
        settings.extend(read.into_iter().map(|(key, value)| (key, (place.clone(), value))));
        return Ok(());
    }
    let (read, wrong) = toml::parse(&text);
    let hint = properties::hint(&text);
    let wrong = wrong.into_iter().map(|(key, reason)| Problem::new(&place, &key, format!("{reason}{hint}")));
    if read.is_empty() {
        let wrong: Vec<Problem> = wrong.collect();
        return if wrong.is_empty() { Ok(()) } else { Err(wrong) };
    }
    problems.extend(wrong);
    settings.extend(read.into_iter().map(|(key, value)| (key, (place.clone(), value))));
    Ok(())
}

impl Reader<'_> {
    /// Reads all fields, so that all problems are found, before a missing one ends the function.
    fn worker(mut self) -> Option<WorkerConfig> {
        let session_timeout = self.read(&table::SESSION_TIMEOUT);
        let bootstrap_servers = self.bootstrap_servers();
        let group_id = self.read(&table::GROUP_ID);
        let valid = group_id.as_deref().map_or(Ok(()), kafka_names::check_client_name);
        self.checked(&table::GROUP_ID, valid);
        let group_instance_id = self.text(&table::GROUP_INSTANCE_ID);
        let valid = group_instance_id.as_deref().map_or(Ok(()), kafka_names::check_client_name);
        self.checked(&table::GROUP_INSTANCE_ID, valid);
        let offsets_topic = self.read(&table::OFFSETS_TOPIC);
        let config_topic = self.read(&table::CONFIG_TOPIC);
        let status_topic = self.read(&table::STATUS_TOPIC);
        let notifications_topic = self.read(&table::NOTIFICATIONS_TOPIC);
        let mut topics = [&offsets_topic, &config_topic, &status_topic, &notifications_topic].map(Option::as_deref);
        topics.sort_unstable();
        if topics.windows(2).any(|pair| pair[0].is_some() && pair[0] == pair[1]) {
            self.problem(&table::OFFSETS_TOPIC, "offsets, configs, statuses and notifications need separate topics");
        }
        let shards = self.read(&table::OFFSETS_PARTITIONS);
        let replication = self.read(&table::OFFSETS_REPLICATION);
        let config_replication = self.read(&table::CONFIG_REPLICATION);
        let status_replication = self.read(&table::STATUS_REPLICATION);
        let rest = self.rest();
        let providers = self.providers();
        let group_protocol = self.read(&table::GROUP_PROTOCOL);
        let transaction_timeout = self.read(&table::TRANSACTION_TIMEOUT);
        let transaction_max_size_bytes = self.read(&table::TRANSACTION_MAX_SIZE);
        let transaction_max_duration = self.read(&table::TRANSACTION_MAX_DURATION);
        let memory_budget_size_bytes = self.read(&table::MEMORY_BUDGET);
        let shutdown_timeout = self.read(&table::SHUTDOWN_TIMEOUT);
        let registry = self.registry();
        if let Some(registry) = &registry {
            for problem in registry.problems("") {
                self.problem_at(&problem.key, problem.reason);
            }
        }
        self.check_tokens();
        self.check_clients(librdkafka_keys::Around {
            transaction_timeout_ms: millis(or_default(transaction_timeout, &table::TRANSACTION_TIMEOUT)),
            session_timeout_ms: millis(or_default(session_timeout, &table::SESSION_TIMEOUT)),
            memory_budget_size_bytes: or_default(memory_budget_size_bytes, &table::MEMORY_BUDGET) as u64,
        });
        Some(WorkerConfig {
            bootstrap_servers: bootstrap_servers?,
            group_id: group_id?,
            offsets_topic: offsets_topic?,
            shards: ShardCount::new(shards?)?,
            offsets_replication_factor: replication?,
            config_topic: config_topic?,
            status_topic: status_topic?,
            notifications_topic: notifications_topic?,
            config_replication_factor: config_replication?,
            status_replication_factor: status_replication?,
            rest: rest?,
            registry: registry?,
            providers: providers?,
            group_instance_id,
            group_protocol: group_protocol?,
            session_timeout_ms: millis(session_timeout?),
            transaction_timeout_ms: millis(transaction_timeout?),
            transaction_max_size_bytes: transaction_max_size_bytes?,
            transaction_max_duration: transaction_max_duration?,
            memory_budget_size_bytes: memory_budget_size_bytes?,
            shutdown_timeout: shutdown_timeout?,
            common: self.for_clients(""),
            producer: self.for_clients("producer."),
            consumer: self.for_clients("consumer."),
            admin: self.for_clients("admin."),
            places: self.all().map(|(key, place, _)| (key.to_owned(), place.to_owned())).collect(),
        })
    }

    fn bootstrap_servers(&mut self) -> Option<String> {
        let text = self.read(&table::BOOTSTRAP_SERVERS)?;
        let protocol = self.raw("security.protocol").filter(|protocol| !protocol.is_empty()).unwrap_or("plaintext");
        self.checked(&table::BOOTSTRAP_SERVERS, kafka_names::servers(&text, protocol))
    }

    fn providers(&mut self) -> Option<Providers> {
        let env = self.read_optional(&rest::ENV_PATTERN);
        let mut paths = |key: &Optional<Vec<String>>| -> Option<Vec<PathBuf>> {
            Some(self.read_optional(key)?.unwrap_or_default().into_iter().map(PathBuf::from).collect())
        };
        let (files, folders) = (paths(&rest::FILE_PATHS), paths(&rest::DIR_PATHS));
        Some(Providers { env: env?, files: files?, folders: folders? })
    }

    /// Returns the settings of one kind of client, or, for the empty prefix, of all kinds, under canonical names.
    fn for_clients(&self, prefix: &str) -> BTreeMap<String, String> {
        let named = |key| client_setting(key).filter(|(found, _)| *found == prefix).map(|(_, name)| name);
        let found = self.all().filter_map(|(key, _, value)| Some((named(key)?, value)));
        found.map(|(name, value)| (librdkafka_keys::canonical(name).to_owned(), value.to_owned())).collect()
    }

    /// Refuses OAUTHBEARER without tokens: Kafka's client would wait for one for ever.
    fn check_tokens(&mut self) {
        let protocol = self.raw("security.protocol").unwrap_or_default().to_ascii_lowercase();
        let given = ["sasl.mechanism", "sasl.mechanisms"]
            .into_iter()
            .find(|key| self.raw(key).is_some_and(|mechanism| mechanism.eq_ignore_ascii_case("OAUTHBEARER")));
        let has_tokens = ["producer.", "consumer.", "admin."].into_iter().all(|kind| {
            let unsigned = self.raw(&format!("{kind}enable.sasl.oauthbearer.unsecure.jwt"));
            unsigned.is_some_and(|value| ["true", "t", "1"].iter().any(|yes| yes.eq_ignore_ascii_case(value)))
        });
        if let Some(key) = given.filter(|_| protocol.starts_with("sasl") && !has_tokens) {
            self.problem_at(key, librdkafka_keys::NO_TOKENS);
        }
    }

    /// Checks that the settings of Kafka's clients may be set, and are not set under two names.
    fn check_clients(&mut self, around: librdkafka_keys::Around) {
        let mut known: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        let given: Vec<_> = self.all().collect();
        for (key, _, value) in given {
            let Some((prefix, name)) = client_setting(key) else { continue };
            let wrong = match name {
                "client.id" => kafka_names::check_client_name(value).err().map(|error| error.to_string()),
                // The clients are written in C, where a NUL ends a text.
                _ if value.contains('\0') => Some(ValueError::Nul.to_string()),
                _ => librdkafka_keys::check(name, value, around).err().map(|error| error.to_string()),
            };
            if let Some(reason) = wrong {
                self.problem_at(key, reason);
            }
            if let Some(other) = known.insert((prefix, librdkafka_keys::canonical(name)), key) {
                self.problem_at(key, format!("is another name of {other}, which is also set"));
            }
        }
    }
}

/// Returns a value, or the default if it is wrong, to check other settings against it, so that their problems are
/// reported, too.
fn or_default<T: Default>(value: Option<T>, key: &Key<T>) -> T {
    value.or_else(|| key.default_value()).unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Splits a key for Kafka's clients into the prefix of its kind of client and its name.
fn client_setting(key: &str) -> Option<(&str, &str)> {
    // A name that Kafka Connect has, too, is checked as Kafka Connect's.
    if !keys::is_client_key(key) || connect_keys::check(connect_keys::WORKER, key, "").is_some() {
        return None;
    }
    if keys::is_common_key(key) { Some(("", key)) } else { key.split_at_checked(key.find('.')? + 1) }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
