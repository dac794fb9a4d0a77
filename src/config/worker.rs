//! A worker's settings: defaults < file < environment < flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::RegexBuilder;

use super::rest::RestConfig;
use super::secrets::{self, Providers};
use super::{Problem, check, connect_keys, environment, kafka_names, keys, librdkafka_keys, properties, toml};
use crate::kafka::settings::GroupProtocol;
use crate::shard::ShardCount;

/// A worker's settings, checked.
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
    /// For all clients of Kafka: `security.*`, `ssl.*`, `sasl.*`, `client.*`.
    pub common: BTreeMap<String, String>,
    /// `producer.*`.
    pub producer: BTreeMap<String, String>,
    /// `consumer.*`.
    pub consumer: BTreeMap<String, String>,
    /// `admin.*`.
    pub admin: BTreeMap<String, String>,
    /// Every setting that was given, with where.
    places: BTreeMap<String, String>,
}

impl WorkerConfig {
    /// Settings that were given for a kind of client, by what they begin with, or for all of them, and that pass by the
    /// name that librdkafka knows them by: key and place.
    pub fn given_for_client(&self, prefix: &str, passes: impl Fn(&str) -> bool) -> Vec<(&str, &str)> {
        let named = |key: &str| {
            let name = key.strip_prefix(prefix).or_else(|| keys::is_common_key(key).then_some(key));
            name.is_some_and(|name| passes(name) || passes(librdkafka_keys::canonical(name)))
        };
        let given = self.places.iter().filter(|(key, _)| named(key));
        given.map(|(key, place)| (key.as_str(), place.as_str())).collect()
    }
}

/// Reads settings with the file they may come from and `KEY=VALUE` flags.
///
/// # Errors
/// All problems there are.
pub fn load(file: Option<&Path>, flags: &[(String, String)]) -> Result<WorkerConfig, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut settings = BTreeMap::new();
    let place = file.map_or("worker settings".to_owned(), |file| file.display().to_string());
    if let Some(file) = file {
        // A file that cannot be read or parsed leaves nothing to look for in it: what it does not say is not missing.
        read_file(file, &mut settings, &mut problems)?;
    }
    environment::read(&mut settings, std::env::vars_os(), &mut problems);
    for (key, value) in flags {
        settings.insert(key.clone(), ("command line".to_owned(), value.clone()));
    }
    for (key, (place, value)) in &settings {
        if let Err(reason) = keys::check_worker(key, value) {
            problems.push(Problem::new(place, key, reason));
        } else if secrets::has_reference(value) {
            let reason = format!(
                "references are for connectors' settings, and here one would be taken as it stands; give the value by the \
                 worker's environment, as {}",
                environment::variable(key)
            );
            problems.push(Problem::new(place, key, reason));
        }
    }
    let config = Reader { settings: &settings, place: &place, problems: &mut problems }.read();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// Reads the settings of a file. Values that are none are noted among `problems`.
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

pub(super) struct Reader<'a> {
    settings: &'a BTreeMap<String, (String, String)>,
    place: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn read(mut self) -> Option<WorkerConfig> {
        let session_timeout_ms = self.number("session.timeout.ms", 10_000, 1_000, 600_000);
        let bootstrap_servers = self.bootstrap_servers();
        let group_id = self.text("group.id", Some("kvs-connect"));
        self.check_name("group.id", group_id.as_deref());
        let group_instance_id = self.optional("group.instance.id");
        self.check_name("group.instance.id", group_instance_id.as_deref());
        let offsets_topic = self.topic("offset.storage.topic", "kvs-connect-offsets");
        let config_topic = self.topic("config.storage.topic", "kvs-connect-configs");
        let status_topic = self.topic("status.storage.topic", "kvs-connect-status");
        let notifications_topic = self.topic("notifications.topic", "kvs-connect-notifications");
        let mut topics = [&offsets_topic, &config_topic, &status_topic, &notifications_topic].map(Option::as_deref);
        topics.sort_unstable();
        if topics.windows(2).any(|pair| pair[0].is_some() && pair[0] == pair[1]) {
            self.problem("offset.storage.topic", "offsets, configs, status and notifications need a topic each");
        }
        let shards = self.number("offset.storage.partitions", 25, 1, 10_000);
        let replication = self.replication("offset.storage.replication.factor");
        let config_replication = self.replication("config.storage.replication.factor");
        let status_replication = self.replication("status.storage.replication.factor");
        let rest = self.rest();
        let providers = self.providers();
        let group_protocol = self.group_protocol();
        let transaction_timeout_ms = self.number("transaction.timeout.ms", 15_000, 10_000, 60_000);
        let transaction_max_size_bytes = self.number("transaction.max.size.bytes", 4 << 20, 1, 1 << 30);
        let transaction_max_duration = self.number("transaction.max.duration.ms", 1_000, 1, 5_000);
        let memory_budget_size_bytes = self.number("memory.budget.size.bytes", 256 << 20, 1 << 20, 1 << 40);
        let shutdown_timeout_ms = self.number("shutdown.timeout.ms", 8_000, 100, 9_000);
        self.check_clients(librdkafka_keys::Around {
            transaction_timeout_ms: transaction_timeout_ms.unwrap_or(15_000),
            session_timeout_ms: session_timeout_ms.unwrap_or(10_000),
            memory_budget_size_bytes: memory_budget_size_bytes.unwrap_or(256 << 20),
        });
        Some(WorkerConfig {
            bootstrap_servers: bootstrap_servers?,
            group_id: group_id?,
            offsets_topic: offsets_topic?,
            shards: ShardCount::new(i32::try_from(shards?).ok()?)?,
            offsets_replication_factor: replication?,
            config_topic: config_topic?,
            status_topic: status_topic?,
            notifications_topic: notifications_topic?,
            config_replication_factor: config_replication?,
            status_replication_factor: status_replication?,
            rest: rest?,
            providers: providers?,
            group_instance_id,
            group_protocol: group_protocol?,
            session_timeout_ms: session_timeout_ms?,
            transaction_timeout_ms: transaction_timeout_ms?,
            transaction_max_size_bytes: usize::try_from(transaction_max_size_bytes?).ok()?,
            transaction_max_duration: Duration::from_millis(transaction_max_duration?),
            memory_budget_size_bytes: usize::try_from(memory_budget_size_bytes?).ok()?,
            shutdown_timeout: Duration::from_millis(shutdown_timeout_ms?),
            common: self.for_clients(""),
            producer: self.for_clients("producer."),
            consumer: self.for_clients("consumer."),
            admin: self.for_clients("admin."),
            places: self.settings.iter().map(|(key, (place, _))| (key.clone(), place.clone())).collect(),
        })
    }

    pub(super) fn problem(&mut self, key: &str, reason: impl Into<String>) {
        let place = self.settings.get(key).map_or(self.place, |(place, _)| place);
        self.problems.push(Problem::new(place, key, reason));
    }

    pub(super) fn text(&mut self, key: &str, default: Option<&str>) -> Option<String> {
        let value = self.settings.get(key).map(|(_, value)| value.as_str()).or(default);
        match value.map(str::trim) {
            Some(text) if !text.is_empty() => Some(text.to_owned()),
            Some(_) => {
                self.problem(key, "must not be empty");
                None
            }
            // What was given and is no value is no setting, and not missing either.
            None if self.problems.iter().any(|problem| problem.key == key) => None,
            None => {
                self.problem(key, "is required");
                None
            }
        }
    }

    fn bootstrap_servers(&mut self) -> Option<String> {
        const KEY: &str = "bootstrap.servers";
        let text = self.text(KEY, None)?;
        let protocol = self.optional("security.protocol").unwrap_or_else(|| "plaintext".to_owned());
        self.checked(KEY, kafka_names::servers(&text, &protocol))
    }

    fn check_name(&mut self, key: &str, name: Option<&str>) {
        let valid = name.map_or(Ok(()), kafka_names::client_name);
        self.checked(key, valid);
    }

    fn topic(&mut self, key: &str, default: &str) -> Option<String> {
        let name = self.text(key, Some(default))?;
        let valid = check::topic_name(&name);
        self.checked(key, valid.map(|()| name))
    }

    /// The value, or its problem noted.
    pub(super) fn checked<T>(&mut self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|reason| self.problem(key, reason)).ok()
    }

    pub(super) fn number(&mut self, key: &str, default: u64, least: u64, most: u64) -> Option<u64> {
        let Some((_, text)) = self.settings.get(key) else { return Some(default) };
        self.checked(key, check::whole_number(text, least, most))
    }

    fn replication(&mut self, key: &str) -> Option<i32> {
        let text = self.settings.get(key).map_or("-1", |(_, value)| value.trim());
        self.checked(key, check::replication_factor(text))
    }

    /// The value, when it is given and not empty.
    pub(super) fn optional(&self, key: &str) -> Option<String> {
        let value = self.settings.get(key).map(|(_, value)| value.trim());
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// What stands between commas.
    pub(super) fn list(&self, key: &str) -> Vec<String> {
        let text = self.optional(key).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        match self.optional(key).as_deref() {
            None | Some("false") => Some(false),
            Some("true") => Some(true),
            Some(other) => {
                let reason = format!("{other:?}: true or false was expected");
                self.problem(key, reason);
                None
            }
        }
    }

    fn group_protocol(&mut self) -> Option<GroupProtocol> {
        const KEY: &str = "group.protocol";
        match self.optional(KEY).as_deref() {
            None | Some("classic") => Some(GroupProtocol::Classic),
            Some("consumer") => Some(GroupProtocol::Consumer),
            Some(other) => {
                let reason = format!("{other:?}: classic or consumer was expected");
                self.problem(KEY, reason);
                None
            }
        }
    }

    fn providers(&mut self) -> Option<Providers> {
        const PATTERN: &str = "config.providers.env.param.allowlist.pattern";
        let pattern = self.optional(PATTERN).map(|text| {
            let compiled = RegexBuilder::new(&format!("^(?:{text})$")).size_limit(1 << 20).build();
            compiled.map_err(|error| error.to_string())
        });
        let env = match pattern {
            None => Some(None),
            Some(pattern) => self.checked(PATTERN, pattern).map(Some),
        };
        let paths = |key: &str| self.list(key).into_iter().map(PathBuf::from).collect();
        let (files, folders) =
            (paths("config.providers.file.param.allowed.paths"), paths("config.providers.dir.param.allowed.paths"));
        Some(Providers { env: env?, files, folders })
    }

    /// Settings of one kind of client by what they begin with, or of all of them where that is empty: by the names that
    /// are used here, of those that mean the same.
    fn for_clients(&self, prefix: &str) -> BTreeMap<String, String> {
        let named =
            |key: &str| client_setting(key).filter(|(found, _)| *found == prefix).map(|(_, name)| name.to_owned());
        let found = self.settings.iter().filter_map(|(key, (_, value))| Some((named(key)?, value)));
        found.map(|(name, value)| (librdkafka_keys::canonical(&name).to_owned(), value.clone())).collect()
    }

    /// What may be set of Kafka's clients, and not under two names.
    fn check_clients(&mut self, around: librdkafka_keys::Around) {
        let mut known: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for (key, (place, value)) in self.settings {
            let Some((prefix, name)) = client_setting(key) else { continue };
            let valid = match name {
                "client.id" => kafka_names::client_name(value),
                // The clients are in C, where a text ends there.
                _ if value.contains('\0') => Err("no NUL character was expected".to_owned()),
                _ => librdkafka_keys::check(name, value, around),
            };
            if let Err(reason) = valid {
                self.problems.push(Problem::new(place, key, reason));
            }
            if let Some(other) = known.insert((prefix, librdkafka_keys::canonical(name)), key) {
                self.problems.push(Problem::new(
                    place,
                    key,
                    format!("is another name of {other}, which is given, too"),
                ));
            }
        }
    }
}

/// A setting of Kafka's clients: for which, by what it begins with, and its name.
fn client_setting(key: &str) -> Option<(&str, &str)> {
    // What Connect has under such a name is judged as Connect's.
    if !keys::is_client_key(key) || connect_keys::check(connect_keys::WORKER, key, "").is_some() {
        return None;
    }
    if keys::is_common_key(key) { Some(("", key)) } else { key.split_at_checked(key.find('.')? + 1) }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
