//! Errors of Kafka's client while a topic is read: said from time to time, and given up where nothing can come any more.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::failure::{EXIT_UNAVAILABLE, Failure};
use super::output;

/// How often the errors of a topic are said: the client repeats them every second.
const SAID_EVERY: Duration = Duration::from_secs(20);
/// How long a topic may be unknown to the brokers, which may know it again after a restart.
const GONE_AFTER: Duration = Duration::from_secs(30);

/// What has gone wrong since the last record.
#[derive(Default)]
pub(super) struct ReadErrors {
    said: Option<Instant>,
    unknown_since: Option<Instant>,
    /// Whether it has been said that the topic was deleted.
    gone: bool,
}

impl ReadErrors {
    /// Notes an error of reading `topics`. With `ends` it is not enough that they may be created again.
    ///
    /// # Errors
    /// When the brokers have not known a topic for a while.
    pub(super) fn note(&mut self, topics: &str, error: &KafkaError, ends: bool) -> Result<(), Failure> {
        let unknown = [
            RDKafkaErrorCode::UnknownTopicOrPartition,
            RDKafkaErrorCode::UnknownTopic,
            RDKafkaErrorCode::UnknownPartition,
        ];
        if error.rdkafka_error_code().is_some_and(|code| unknown.contains(&code)) && self.unknown(topics, ends)? {
            return Ok(());
        }
        if self.said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
            self.said = Some(Instant::now());
            output::say(format_args!("kvs-connect: reading {topics}: {error}"));
        }
        Ok(())
    }

    /// Notes that the brokers do not know `topics`. After a while they count as deleted, which is reported once; returns whether it
    /// has been.
    ///
    /// # Errors
    /// With `ends`, when they count as deleted.
    pub(super) fn unknown(&mut self, topics: &str, ends: bool) -> Result<bool, Failure> {
        let since = *self.unknown_since.get_or_insert_with(Instant::now);
        if since.elapsed() < GONE_AFTER {
            return Ok(false);
        }
        let line = format!("{topics}: the topic does not exist any more: it was deleted while it was read");
        if ends {
            return Err(Failure::new(EXIT_UNAVAILABLE, line));
        }
        if !std::mem::replace(&mut self.gone, true) {
            output::say(format_args!("kvs-connect: {line}; waiting until it is created again, or Ctrl-C"));
        }
        Ok(true)
    }

    /// Notes that the brokers know the topics.
    pub(super) fn known(&mut self) {
        (self.unknown_since, self.gone) = (None, false);
    }

    /// Notes that a record has come.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
#[path = "read_errors_tests.rs"]
mod tests;
