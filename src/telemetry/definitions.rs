//! What every metric is: name, type, labels, meaning. docs/METRICS.md has the same table, and a test compares them.

use metrics::{describe_counter, describe_gauge, describe_histogram};

pub(super) const FRAGMENTS: &str = "kvs_connect_fragments_total";
pub(super) const BYTES: &str = "kvs_connect_fragment_bytes_total";
pub(super) const MILLIS_BEHIND_NOW: &str = "kvs_connect_millis_behind_now";
pub(super) const COMMIT_LATENCY: &str = "kvs_connect_commit_latency_seconds";
pub(super) const TRANSACTION: &str = "kvs_connect_transaction_duration_seconds";
pub(super) const SHARDS_LOST: &str = "kvs_connect_shards_lost_total";
pub(super) const SHARDS_FENCED: &str = "kvs_connect_shards_fenced_total";
pub(super) const SHARDS_REACQUIRED: &str = "kvs_connect_shards_reacquired_total";
pub(super) const SHARD_ACQUIRE_DURATION: &str = "kvs_connect_shard_acquire_duration_seconds";
pub(super) const DUPLICATES: &str = "kvs_connect_duplicates_dropped_total";
pub(super) const SESSIONS: &str = "kvs_connect_get_media_sessions_total";
pub(super) const FAILURES: &str = "kvs_connect_stream_errors_total";
pub(super) const FRAMES_SKIPPED: &str = "kvs_connect_skipped_frames_total";
pub(super) const PASSED_OVER: &str = "kvs_connect_passed_over_fragments_total";
pub(super) const INCOMPLETE: &str = "kvs_connect_incomplete_fragments_total";
pub(super) const TIMESTAMPS_REPLACED: &str = "kvs_connect_record_timestamps_replaced_total";
pub(super) const CALLS: &str = "kvs_connect_api_calls_total";
pub(super) const CALL_ATTEMPTS: &str = "kvs_connect_api_call_attempts_total";
pub(super) const CALL_DURATION: &str = "kvs_connect_api_call_duration_seconds";
pub(super) const POSITIONS_LOST: &str = "kvs_connect_positions_lost_total";
pub(super) const CAUGHT_UP: &str = "kvs_connect_stream_caught_up";
pub(super) const AT_RATE_LIMIT: &str = "kvs_connect_stream_at_rate_limit_total";
pub(super) const BACKFILL: &str = "kvs_connect_backfill_progress_ratio";
pub(super) const STREAMS_FAILED: &str = "kvs_connect_streams_failed";
pub(super) const HEALTHY: &str = "kvs_connect_worker_healthy";
pub(super) const CONNECTORS_FAILED: &str = "kvs_connect_connectors_failed";
pub(super) const DATA_PARTITIONS_OFFLINE: &str = "kvs_connect_data_partitions_offline";
pub(super) const PANICS: &str = "kvs_connect_panics_total";
pub(super) const NOTIFICATIONS_DROPPED: &str = "kvs_connect_notifications_dropped_total";
pub(super) const REST_CONNECTIONS_CLOSED: &str = "kvs_connect_rest_connections_closed_total";
pub(super) const LOG_LINES_DROPPED: &str = "kvs_connect_log_lines_dropped_total";
pub(super) const OUT_OF_FILES: &str = "kvs_connect_out_of_files";
pub(super) const BUDGET_USED: &str = "kvs_connect_memory_budget_used_bytes";

/// The labels of what is counted by stream.
const STREAM: &[&str] = &["connector", "stream"];
/// The label of what is counted by reason.
const REASON: &[&str] = &["reason"];

/// The type of a metric, as Prometheus names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Grows and shrinks.
    Gauge,
    /// Counts samples by size.
    Histogram,
}

impl Kind {
    /// Returns the type's name in Prometheus's text format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The labels of each of its series.
    pub labels: &'static [&'static str],
    /// What it measures.
    pub meaning: &'static str,
}

const fn metric(name: &'static str, kind: Kind, labels: &'static [&'static str], meaning: &'static str) -> Definition {
    Definition { name, kind, labels, meaning }
}

/// Every metric.
pub const METRICS: &[Definition] = &[
    metric(FRAGMENTS, Kind::Counter, STREAM, "Fragments committed"),
    metric(BYTES, Kind::Counter, STREAM, "Bytes of payload of fragments committed"),
    metric(
        MILLIS_BEHIND_NOW,
        Kind::Gauge,
        STREAM,
        "How far the last fragment pulled was behind the live edge, as reported by the service",
    ),
    metric(COMMIT_LATENCY, Kind::Histogram, &[], "Time from receiving a fragment's last byte to its commit"),
    metric(TRANSACTION, Kind::Histogram, &[], "Time from a transaction's begin to its commit"),
    metric(SHARDS_LOST, Kind::Counter, REASON, "Shards lost, or not acquired, by reason"),
    metric(
        SHARDS_FENCED,
        Kind::Counter,
        REASON,
        "Shards lost because another producer acquired the id, or a transaction timed out",
    ),
    metric(
        SHARDS_REACQUIRED,
        Kind::Counter,
        REASON,
        "Times a lost shard was acquired again, by the reason for the loss",
    ),
    metric(SHARD_ACQUIRE_DURATION, Kind::Histogram, &[], "Time from a new producer to the end of the recovery read"),
    metric(DUPLICATES, Kind::Counter, STREAM, "Fragments dropped because they were already published"),
    metric(SESSIONS, Kind::Counter, STREAM, "GetMedia sessions opened"),
    metric(
        FAILURES,
        Kind::Counter,
        &["connector", "stream", "reason"],
        "Failures of GetMedia that were retried, by reason",
    ),
    metric(
        FRAMES_SKIPPED,
        Kind::Counter,
        STREAM,
        "Frames left out of the frames topic because they cannot be converted",
    ),
    metric(
        PASSED_OVER,
        Kind::Counter,
        &["connector", "stream", "stage"],
        "Fragments passed over because they cannot be published: parse, encode, route, tracks or size",
    ),
    metric(INCOMPLETE, Kind::Counter, STREAM, "Fragments published without their end, after three attempts"),
    metric(
        TIMESTAMPS_REPLACED,
        Kind::Counter,
        &["connector", "stream", "reason"],
        "Record timestamps replaced by ingest time, by reason",
    ),
    metric(
        CALLS,
        Kind::Counter,
        &["connector", "stream", "api", "outcome"],
        "Calls to the service, by operation, stream and outcome",
    ),
    metric(CALL_ATTEMPTS, Kind::Counter, &["connector", "stream", "api"], "Requests sent for these calls"),
    metric(
        CALL_DURATION,
        Kind::Histogram,
        &["api"],
        "Duration of calls with all their attempts; for sessions, until they began",
    ),
    metric(POSITIONS_LOST, Kind::Counter, STREAM, "Times the service no longer knew a stream's position"),
    metric(CAUGHT_UP, Kind::Gauge, STREAM, "Whether a stream has caught up with the live edge"),
    metric(
        AT_RATE_LIMIT,
        Kind::Counter,
        STREAM,
        "Times a stream fell behind at the service's maximum rate of a session",
    ),
    metric(BACKFILL, Kind::Gauge, STREAM, "Progress of a backfill through its range, 0 to 1"),
    metric(STREAMS_FAILED, Kind::Gauge, &[], "Streams that have been given up until a restart"),
    metric(HEALTHY, Kind::Gauge, &[], "Whether the worker is healthy, as /health says"),
    metric(CONNECTORS_FAILED, Kind::Gauge, &[], "Connectors of the group that have failed, as this worker has read"),
    metric(DATA_PARTITIONS_OFFLINE, Kind::Gauge, &[], "Partitions of the data topics that have no leader"),
    metric(PANICS, Kind::Counter, &["part"], "Panics that were caught, by the part that panicked"),
    metric(NOTIFICATIONS_DROPPED, Kind::Counter, STREAM, "Notifications that could not be written"),
    metric(
        REST_CONNECTIONS_CLOSED,
        Kind::Counter,
        REASON,
        "Connections to the REST API that were closed to make room for others, or not accepted, by reason",
    ),
    metric(
        LOG_LINES_DROPPED,
        Kind::Counter,
        &[],
        "Log lines dropped because they could not be written, or not fast enough",
    ),
    metric(OUT_OF_FILES, Kind::Gauge, &[], "Whether the process has no file descriptors left"),
    metric(BUDGET_USED, Kind::Gauge, &[], "Bytes of the memory budget in use"),
];

/// Describes every metric to the recorder.
pub(super) fn describe() {
    for Definition { name, kind, meaning, .. } in METRICS.iter().copied() {
        match kind {
            Kind::Counter => describe_counter!(name, meaning),
            Kind::Gauge => describe_gauge!(name, meaning),
            Kind::Histogram => describe_histogram!(name, meaning),
        }
    }
}

#[cfg(test)]
#[path = "definitions_tests.rs"]
mod tests;
