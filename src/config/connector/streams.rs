//! The streams of a connector: a list, or conditions for discovery.

use std::fmt;
use std::time::Duration;

use kvs_client::StreamRef;
use regex::Regex;

use crate::config::reader::Reader;
use crate::config::table::connector::streams::{DISCOVERY_INTERVAL, LIST, PREFIX, REGEX, TAGS};

/// The streams of a connector.
#[derive(Debug, Clone)]
pub enum StreamsConfig {
    /// Streams that are listed.
    Listed(Vec<StreamRef>),
    /// All streams that meet the conditions.
    Discovered(Discovery),
}

/// The conditions on discovered streams.
#[derive(Debug, Clone)]
pub struct Discovery {
    /// The prefix of their names.
    pub prefix: Option<String>,
    /// The pattern of their whole names.
    pub regex: Option<Regex>,
    /// The tags that they must have; a tag without a value matches any value.
    pub tags: Vec<(String, Option<String>)>,
    /// The interval between two looks.
    pub interval: Duration,
}

impl fmt::Display for StreamsConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(streams) if streams.len() == 1 => formatter.write_str("1 stream"),
            Self::Listed(streams) => write!(formatter, "{} streams", streams.len()),
            Self::Discovered(_) => formatter.write_str("the discovered streams"),
        }
    }
}

impl Discovery {
    /// Returns whether a stream's name meets the conditions.
    pub fn names(&self, name: &str) -> bool {
        self.prefix.as_deref().is_none_or(|prefix| name.starts_with(prefix))
            && self.regex.as_ref().is_none_or(|regex| regex.is_match(name))
    }

    /// Returns whether a stream's tags meet the conditions.
    pub fn tagged(&self, tags: &[(String, String)]) -> bool {
        self.tags.iter().all(|(key, value)| {
            tags.iter().any(|(other, given)| key == other && value.as_ref().is_none_or(|value| value == given))
        })
    }
}

impl Reader<'_> {
    /// Reads which streams the connector has.
    pub(super) fn streams(&mut self) -> Option<StreamsConfig> {
        let interval = self.read(&DISCOVERY_INTERVAL);
        let given = [
            (PREFIX.name(), self.is_given(&PREFIX)),
            (REGEX.name(), self.is_given(&REGEX)),
            (TAGS.name(), self.is_given(&TAGS)),
        ];
        let condition = given.iter().find(|(_, is_given)| *is_given).map(|(name, _)| *name);
        match (self.text(&LIST), condition) {
            (Some(_), Some(condition)) => {
                self.problem_at(condition, format!("cannot be combined with {}", LIST.name()));
                None
            }
            (Some(list), None) => self.listed(&list).map(StreamsConfig::Listed),
            (None, Some(_)) => {
                let (prefix, regex, tags) = (self.prefix(), self.read_optional(&REGEX), self.tags());
                let discovery = Discovery { prefix: prefix?, regex: regex?, tags: tags?, interval: interval? };
                Some(StreamsConfig::Discovered(discovery))
            }
            (None, None) => {
                let [prefix, regex, tags] = given.map(|(name, _)| name);
                self.problem(&LIST, format!("is required, or one of {prefix}, {regex}, {tags}"));
                None
            }
        }
    }

    fn listed(&mut self, text: &str) -> Option<Vec<StreamRef>> {
        let mut streams: Vec<StreamRef> = Vec::new();
        let mut valid = true;
        for part in text.split(',').map(str::trim) {
            match part.parse::<StreamRef>() {
                Ok(stream) if streams.iter().any(|known| known.name() == stream.name()) => {
                    self.problem(&LIST, format!("stream {} is listed twice", stream.name()));
                    valid = false;
                }
                Ok(stream) => streams.push(stream),
                Err(error) => {
                    self.problem(&LIST, error.to_string());
                    valid = false;
                }
            }
        }
        valid.then_some(streams)
    }

    fn prefix(&mut self) -> Option<Option<String>> {
        let Some(prefix) = self.text(&PREFIX) else { return Some(None) };
        let valid = prefix.parse::<StreamRef>().is_ok_and(|stream| stream.arn().is_none());
        let reason = || "1 to 256 characters of [a-zA-Z0-9_.-] were expected".to_owned();
        self.checked(&PREFIX, valid.then_some(Some(prefix)).ok_or_else(reason))
    }

    fn tags(&mut self) -> Option<Vec<(String, Option<String>)>> {
        let Some(text) = self.text(&TAGS) else { return Some(Vec::new()) };
        let mut tags = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (key, value) = match part.split_once('=') {
                Some((key, value)) => (key.trim(), Some(value.trim().to_owned())),
                None => (part, None),
            };
            if key.is_empty() {
                self.problem(&TAGS, format!("{text:?}: KEY=VALUE, or KEY alone, with commas between was expected"));
                return None;
            }
            tags.push((key.to_owned(), value));
        }
        Some(tags)
    }
}
