//! Logging, with levels that can be changed while the worker runs (`/admin/loggers`).
//!
//! **Contract.** A log that cannot be written, or that nobody reads, costs its own lines and nothing else ([`writer`]).

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::reload;

pub(crate) mod repeated;
mod shown;
pub(crate) mod writer;

pub(crate) use shown::shown;
use writer::Lines;

/// The default levels, unless `RUST_LOG` sets others.
const DEFAULT: &str = "info,aws_config=error";
/// The logger that applies where no other does.
pub const ROOT: &str = "root";
/// Loggers that are listed even if they have not been set.
const KNOWN: [&str; 13] = [
    "kvs_client",
    "kvs_connect",
    "kvs_connect::cluster",
    "kvs_connect::connector",
    "kvs_connect::kafka",
    "kvs_connect::rest",
    "kvs_connect::shard",
    "kvs_connect::worker",
    "aws_config",
    "hyper",
    "librdkafka",
    "reqwest",
    "rustls",
];
/// How long the process waits at exit for its last lines, the last of which says why it ends. A busy disk holds up a write
/// for longer than a second at times; a pipe that nobody reads holds it up for ever.
const FLUSH_MAX: Duration = Duration::from_secs(2);
/// The maximum number of loggers that may be set.
const SET_MAX: usize = 200;
/// The longest name of a logger.
const NAME_MAX_CHARS: usize = 200;

/// A logger's level, and when it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggerLevel {
    /// `ERROR`, `WARN`, `INFO`, `DEBUG`, `TRACE` or `OFF`.
    pub level: String,
    /// When it was set, in milliseconds since 1970; `None` if at startup.
    pub last_modified_ms: Option<u64>,
}

/// Reasons why a logger's level cannot be set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoggerError {
    /// The name is not valid for a logger.
    #[error(
        "a logger's name was expected: names of [A-Za-z0-9_] that do not begin with a digit, joined by :: or a dot, at most {} \
         characters",
        NAME_MAX_CHARS
    )]
    Name {
        /// The name.
        name: String,
    },
    /// The level does not exist.
    #[error("one of OFF, ERROR, WARN, INFO, DEBUG, TRACE was expected")]
    Level {
        /// The level.
        level: String,
    },
    /// The maximum number of loggers is already set.
    #[error("{most} loggers are set, which is the maximum")]
    TooMany {
        /// The maximum.
        most: usize,
    },
    /// The levels cannot be applied.
    #[error(transparent)]
    Reload(#[from] reload::Error),
}

type Reload = Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>;

/// The effective levels.
#[derive(Clone)]
pub struct Logging(Arc<Inner>);

struct Inner {
    levels: Mutex<BTreeMap<String, (LevelFilter, Option<u64>)>>,
    reload: Reload,
}

/// Starts logging: readable text on a terminal, JSON otherwise.
pub fn start() -> Logging {
    let text = std::env::var("RUST_LOG").ok().filter(|text| EnvFilter::try_new(text).is_ok());
    let text = text.unwrap_or_else(|| DEFAULT.to_owned());
    let filter = EnvFilter::new(&text);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines::start(&dropped_note));
    // It would say on standard error that standard error cannot be written, and panic.
    let builder = builder.log_internal_errors(false);
    let reload: Reload = if is_for_people() {
        let builder = builder.with_filter_reloading();
        let handle = builder.reload_handle();
        builder.init();
        Box::new(move |filter| handle.reload(filter))
    } else {
        let builder = builder.json().flatten_event(true).with_filter_reloading();
        let handle = builder.reload_handle();
        builder.init();
        Box::new(move |filter| handle.reload(filter))
    };
    Logging::new(&text, reload)
}

/// Returns whether the log goes to a terminal.
fn is_for_people() -> bool {
    std::io::stderr().is_terminal()
}

/// Returns the line that says how many lines were dropped, in the format of the lines around it.
fn dropped_note(dropped: u64) -> String {
    let when = humantime::format_rfc3339_micros(SystemTime::now());
    let message = "log lines were dropped: standard error took them too slowly, or could not be written";
    if is_for_people() {
        return format!("{when}  WARN kvs_connect::logging: {message} dropped={dropped}\n");
    }
    let line = serde_json::json!({
        "timestamp": when.to_string(), "level": "WARN", "message": message, "dropped": dropped, "target": "kvs_connect::logging"
    });
    format!("{line}\n")
}

/// Waits for the last lines before the process ends, for two seconds at most: nobody may be reading them.
pub fn flush() {
    if let Some(lines) = Lines::started() {
        lines.flush(FLUSH_MAX);
    }
}

/// Returns how many lines have been dropped because they could not be written, or not fast enough.
pub fn lines_dropped() -> u64 {
    Lines::started().map_or(0, Lines::dropped)
}

impl Logging {
    fn new(text: &str, reload: Reload) -> Self {
        let targets: Targets = text.parse().unwrap_or_default();
        let mut levels =
            BTreeMap::from([(ROOT.to_owned(), (targets.default_level().unwrap_or(LevelFilter::ERROR), None))]);
        levels.extend(targets.iter().map(|(target, level)| (target.to_owned(), (level, None))));
        Self(Arc::new(Inner { levels: Mutex::new(levels), reload }))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (LevelFilter, Option<u64>)>> {
        // Nothing panics while the lock is held, and a map is never half changed.
        self.0.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns all loggers that are known or set.
    pub fn all(&self) -> BTreeMap<String, LoggerLevel> {
        let levels = self.lock();
        let names = KNOWN.iter().map(|name| (*name).to_owned()).chain(levels.keys().cloned());
        names
            .map(|name| {
                let level = level_of(&levels, &name);
                (name, level)
            })
            .collect()
    }

    /// Returns one logger; `None` if it is not known.
    pub fn get(&self, name: &str) -> Option<LoggerLevel> {
        let name = normal(name);
        let levels = self.lock();
        let known = name == ROOT || KNOWN.iter().any(|known| is_within(known, &name)) || levels.contains_key(&name);
        known.then(|| level_of(&levels, &name))
    }

    /// Checks whether a level could be set.
    ///
    /// # Errors
    /// When the level or the name is invalid.
    pub fn check(&self, name: &str, level: &str) -> Result<(), LoggerError> {
        self.read(name, level).map(|_| ())
    }

    fn read(&self, name: &str, level: &str) -> Result<(String, LevelFilter), LoggerError> {
        let name = normal(name);
        if name.len() > NAME_MAX_CHARS || !name.split("::").all(is_identifier) {
            return Err(LoggerError::Name { name });
        }
        Ok((name, parse_level(level)?))
    }

    /// Sets the level of a logger and of all loggers within it. Returns their names.
    ///
    /// # Errors
    /// When the level or the name is invalid, or too many loggers are set.
    pub fn set(&self, name: &str, level: &str) -> Result<Vec<String>, LoggerError> {
        let (name, level) = self.read(name, level)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
        let mut levels = self.lock();
        if !levels.contains_key(&name) && levels.len() >= SET_MAX {
            return Err(LoggerError::TooMany { most: SET_MAX });
        }
        if name == ROOT {
            levels.clear();
        }
        levels.retain(|other, _| !is_within(other, &name));
        levels.insert(name.clone(), (level, Some(now)));
        let directives: Vec<String> = levels
            .iter()
            .map(|(name, (level, _))| if name == ROOT { level.to_string() } else { format!("{name}={level}") })
            .collect();
        (self.0.reload)(EnvFilter::new(directives.join(",")))?;
        drop(levels);
        tracing::info!(logger = name, %level, "logger level set");
        let all = self.all().into_keys();
        Ok(all.filter(|other| name == ROOT || *other == name || is_within(other, &name)).collect())
    }
}

/// Normalizes a name, `a.b` to `a::b`: Kafka Connect's loggers have dots.
fn normal(name: &str) -> String {
    name.trim().replace('.', "::")
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_within(name: &str, outer: &str) -> bool {
    name == outer || name.strip_prefix(outer).is_some_and(|rest| rest.starts_with("::"))
}

fn level_of(levels: &BTreeMap<String, (LevelFilter, Option<u64>)>, name: &str) -> LoggerLevel {
    let nearest = levels.iter().filter(|(other, _)| is_within(name, other)).max_by_key(|(other, _)| other.len());
    let (level, last_modified_ms) = match nearest.or_else(|| levels.get_key_value(ROOT)) {
        Some((_, (level, modified))) => (*level, *modified),
        None => (LevelFilter::INFO, None),
    };
    LoggerLevel { level: level.to_string().to_ascii_uppercase(), last_modified_ms }
}

/// Parses a level's name; Log4j levels that do not exist here become the nearest one.
fn parse_level(text: &str) -> Result<LevelFilter, LoggerError> {
    Ok(match text.trim().to_ascii_uppercase().as_str() {
        "OFF" => LevelFilter::OFF,
        "FATAL" | "ERROR" => LevelFilter::ERROR,
        "WARN" => LevelFilter::WARN,
        "INFO" => LevelFilter::INFO,
        "DEBUG" => LevelFilter::DEBUG,
        "TRACE" | "ALL" => LevelFilter::TRACE,
        _ => return Err(LoggerError::Level { level: text.to_owned() }),
    })
}

#[cfg(test)]
#[path = "logging/logging_tests.rs"]
mod tests;
