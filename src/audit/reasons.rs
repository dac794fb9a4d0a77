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
    streams: HashMap<String, OfStream>,
    kept: usize,
}

/// What they say of a stream's fragments.
#[derive(Debug, Default)]
struct OfStream {
    fragments: HashMap<FragmentNumber, Reason>,
    /// Between two fragments, both excluded.
    ranges: Vec<(Option<FragmentNumber>, FragmentNumber, Reason)>,
    /// When the service received the earliest fragment that has a reason of its own, in milliseconds since 1970.
    earliest_ms: Option<i64>,
}

impl Reasons {
    /// Notes why one fragment is not in Kafka; a later reason counts more.
    pub fn note(&mut self, stream: &str, number: FragmentNumber, reason: Reason) {
        if self.kept < KEPT_MAX && self.of_stream(stream).fragments.insert(number, reason).is_none() {
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
            self.of_stream(stream).ranges.push((after, before, reason));
            self.kept += 1;
        }
    }

    /// Notes when the service received a fragment that has a reason of its own, in milliseconds since 1970.
    pub fn note_time(&mut self, stream: &str, server_ms: i64) {
        // A stream of which nothing is kept needs no time.
        if let Some(said) = self.streams.get_mut(stream) {
            said.earliest_ms = Some(said.earliest_ms.map_or(server_ms, |earliest| earliest.min(server_ms)));
        }
    }

    /// Returns when the service received the earliest fragment of a stream that has a reason of its own, as far as that is known.
    pub fn earliest_ms(&self, stream: &str) -> Option<i64> {
        self.streams.get(stream)?.earliest_ms
    }

    /// Returns the fragments of a stream that have a reason of their own.
    pub fn fragments(&self, stream: &str) -> impl Iterator<Item = FragmentNumber> {
        self.streams.get(stream).into_iter().flat_map(|said| said.fragments.keys().cloned())
    }

    /// Returns why a fragment is not in Kafka, if that has been said.
    pub fn of(&self, stream: &str, number: &FragmentNumber) -> Option<Reason> {
        let said = self.streams.get(stream)?;
        let within = |(after, before, _): &&(Option<FragmentNumber>, FragmentNumber, Reason)| {
            after.as_ref().is_none_or(|after| number > after) && number < before
        };
        let in_range = || said.ranges.iter().find(within).map(|(_, _, reason)| reason);
        said.fragments.get(number).or_else(in_range).cloned()
    }

    fn of_stream(&mut self, stream: &str) -> &mut OfStream {
        self.streams.entry(stream.to_owned()).or_default()
    }
}
