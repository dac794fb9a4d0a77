//! The Kafka timestamp of a record.
//!
//! Event time is in the value's fields. A record with an old producer time is deleted by its topic's retention at once,
//! and one with a time over an hour ahead is refused by the broker; so ingest time is the default, and the other
//! choices detect both cases. The broker uses its own clock and the time at which the record arrives: within a margin
//! of its limits, ingest time is written.

use kvs_client::Fragment;

use super::kind::Origin;
use crate::kafka::TopicFacts;
use crate::model::RecordTimestamp;

/// Chooses the timestamp of records, within the limits of their topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampPolicy {
    /// The configured time.
    pub wanted: RecordTimestamp,
    /// `retention.ms` of the topic; `None`: records are kept for ever, or only compacted.
    pub retention_ms: Option<i64>,
    /// `message.timestamp.before.max.ms` of the topic.
    pub before_max_ms: i64,
    /// `message.timestamp.after.max.ms` of the topic.
    pub after_max_ms: i64,
}

/// The margin for different clocks and for records that wait for their transaction; it is smaller for a topic with
/// small limits.
const MARGIN_MS: i64 = 60_000;

/// Returns what is left of a limit after the margin; never less than half of it.
fn within(limit_ms: i64) -> i64 {
    limit_ms.saturating_sub(MARGIN_MS.min(limit_ms / 2).max(0))
}

/// A time, and why it is not the configured one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) millis: i64,
    pub(crate) replaced: Option<&'static str>,
}

impl Chosen {
    /// Returns the ingest time, as the configured one.
    pub(crate) fn ingest(millis: i64) -> Self {
        Self { millis, replaced: None }
    }
}

impl TimestampPolicy {
    /// Creates the policy for a topic with this configuration.
    pub fn new(wanted: RecordTimestamp, topic: &TopicFacts) -> Self {
        let deletes = topic.config.get("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
        Self {
            wanted,
            retention_ms: topic.number("retention.ms").filter(|&retention_ms| deletes && retention_ms >= 0),
            before_max_ms: topic.number("message.timestamp.before.max.ms").unwrap_or(i64::MAX),
            after_max_ms: topic.number("message.timestamp.after.max.ms").unwrap_or(3_600_000),
        }
    }

    /// Returns the time of a fragment's record, which is its ingest time if the broker has refused another one.
    pub(crate) fn time_of(&self, origin: &Origin<'_>, fragment: &Fragment) -> Chosen {
        if origin.ingest_time { Chosen::ingest(origin.now_ms) } else { self.choose(fragment, origin.now_ms) }
    }

    pub(crate) fn choose(&self, fragment: &Fragment, now_ms: i64) -> Chosen {
        let wanted = match self.wanted {
            RecordTimestamp::Ingest => return Chosen::ingest(now_ms),
            RecordTimestamp::Producer => fragment.producer_timestamp,
            RecordTimestamp::Server => fragment.server_timestamp,
        };
        let ingest = |reason| Chosen { millis: now_ms, replaced: Some(reason) };
        let Some(millis) = wanted.map(kvs_client::Timestamp::millis) else { return ingest("missing") };
        let age_ms = now_ms.saturating_sub(millis);
        if self.retention_ms.is_some_and(|retention_ms| age_ms >= retention_ms) || age_ms > within(self.before_max_ms) {
            return ingest("older_than_retention");
        }
        if age_ms.saturating_neg() > within(self.after_max_ms) || millis < 0 {
            return ingest("too_far_ahead");
        }
        Chosen { millis, replaced: None }
    }
}
