//! Why fragments are missing, as far as the connector has said it.

use std::collections::HashMap;
use std::sync::Arc;

use kvs_mkv::FragmentNumber;

/// The most fragments, and ranges of fragments, whose reasons are kept.
const KEPT_MAX: usize = 200_000;

/// Why a fragment is not in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `POSITION_LOST`, `FRAGMENT_PASSED_OVER`, `FRAGMENTS_MISSING` or `DEAD_LETTER`.
    pub kind: Arc<str>,
    /// In words.
    pub text: Arc<str>,
}

/// What the connector's notifications and dead letters say of fragments.
#[derive(Debug, Default)]
pub struct Reasons {
    fragments: HashMap<(String, FragmentNumber), Reason>,
    /// Between two fragments of a stream, both excluded.
    ranges: HashMap<String, Vec<(Option<FragmentNumber>, FragmentNumber, Reason)>>,
    kept: usize,
    /// When the service received the earliest fragment of a stream that has a reason of its own, in milliseconds since 1970.
    earliest_ms: HashMap<String, i64>,
}

impl Reasons {
    /// Notes why one fragment is not in Kafka; a later reason counts more.
    pub fn note(&mut self, stream: &str, number: FragmentNumber, reason: Reason) {
        if self.kept < KEPT_MAX && self.fragments.insert((stream.to_owned(), number), reason).is_none() {
            self.kept += 1;
        }
    }

    /// Notes why the fragments after `after`, or all before `before` if there is none, are not.
    pub fn note_between(
        &mut self,
        stream: &str,
        after: Option<FragmentNumber>,
        before: FragmentNumber,
        reason: Reason,
    ) {
        if self.kept < KEPT_MAX {
            self.ranges.entry(stream.to_owned()).or_default().push((after, before, reason));
            self.kept += 1;
        }
    }

    /// Notes when the service received a fragment that has a reason of its own, in milliseconds since 1970.
    pub fn note_time(&mut self, stream: &str, server_ms: i64) {
        let earliest = self.earliest_ms.entry(stream.to_owned()).or_insert(server_ms);
        *earliest = server_ms.min(*earliest);
    }

    /// Returns when the service received the earliest fragment of a stream that has a reason of its own, as far as that is known.
    pub fn earliest_ms(&self, stream: &str) -> Option<i64> {
        self.earliest_ms.get(stream).copied()
    }

    /// Returns the fragments of a stream that have a reason of their own.
    pub fn fragments(&self, stream: &str) -> impl Iterator<Item = FragmentNumber> {
        self.fragments.keys().filter(move |(of, _)| of == stream).map(|(_, number)| number.clone())
    }

    /// Returns why a fragment is not in Kafka, if that has been said.
    pub fn of(&self, stream: &str, number: &FragmentNumber) -> Option<Reason> {
        if let Some(reason) = self.fragments.get(&(stream.to_owned(), number.clone())) {
            return Some(reason.clone());
        }
        let ranges = self.ranges.get(stream)?;
        let within = |(after, before, _): &&(Option<FragmentNumber>, FragmentNumber, Reason)| {
            after.as_ref().is_none_or(|after| number > after) && number < before
        };
        ranges.iter().find(within).map(|(_, _, reason)| reason.clone())
    }
}
