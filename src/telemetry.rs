//! Metrics: every name in one place.
//!
//! **Contract.** Nothing grows with time: label sets are bounded by the configuration, series are removed with their streams
//! ([`series`]), and samples are drained into histograms by [`Metrics::upkeep`], whether anybody reads them or not.

use std::time::Duration;

use kvs_client::{CallObserver, CallReport, LogCalls};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;
use series::{KeepingRecorder, Series};

use crate::model::{Committed, OffsetKey};

mod series;

const FRAGMENTS: &str = "kvs_connect_fragments_total";
const BYTES: &str = "kvs_connect_fragment_bytes_total";
const MILLIS_BEHIND_NOW: &str = "kvs_connect_millis_behind_now";
const COMMIT_LATENCY: &str = "kvs_connect_commit_latency_seconds";
const TRANSACTION: &str = "kvs_connect_transaction_duration_seconds";
const SHARDS_LOST: &str = "kvs_connect_shards_lost_total";
const SHARDS_FENCED: &str = "kvs_connect_shards_fenced_total";
const SHARDS_REACQUIRED: &str = "kvs_connect_shards_reacquired_total";
const SHARD_ACQUIRE_DURATION: &str = "kvs_connect_shard_acquire_duration_seconds";
const DUPLICATES: &str = "kvs_connect_duplicates_dropped_total";
const SESSIONS: &str = "kvs_connect_get_media_sessions_total";
const FAILURES: &str = "kvs_connect_stream_errors_total";
const PASSED_OVER: &str = "kvs_connect_passed_over_fragments_total";
const INCOMPLETE: &str = "kvs_connect_incomplete_fragments_total";
const TIMESTAMPS_REPLACED: &str = "kvs_connect_record_timestamps_replaced_total";
const CALLS: &str = "kvs_connect_api_calls_total";
const CALL_ATTEMPTS: &str = "kvs_connect_api_call_attempts_total";
const CALL_DURATION: &str = "kvs_connect_api_call_duration_seconds";
const POSITIONS_LOST: &str = "kvs_connect_positions_lost_total";
const CAUGHT_UP: &str = "kvs_connect_stream_caught_up";
const AT_RATE_LIMIT: &str = "kvs_connect_stream_at_rate_limit_total";
const BACKFILL: &str = "kvs_connect_backfill_progress_ratio";
const STREAMS_FAILED: &str = "kvs_connect_streams_failed";
const DATA_PARTITIONS_OFFLINE: &str = "kvs_connect_data_partitions_offline";
const PANICS: &str = "kvs_connect_panics_total";
const NOTIFICATIONS_DROPPED: &str = "kvs_connect_notifications_dropped_total";
const REST_CONNECTIONS_CLOSED: &str = "kvs_connect_rest_connections_closed_total";
const LOG_LINES_DROPPED: &str = "kvs_connect_log_lines_dropped_total";
const OUT_OF_FILES: &str = "kvs_connect_out_of_files";
const BUDGET_USED: &str = "kvs_connect_memory_budget_used_bytes";

/// The interval at which samples are drained and series are maintained.
pub(crate) const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The process's metrics.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    series: Series,
}

impl Metrics {
    /// Returns all metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Drains samples, and removes the series of streams for which `is_here`, called with connector and stream, returns false.
    pub fn upkeep(&self, is_here: impl Fn(&str, &str) -> bool) {
        self.series.keep(is_here);
        self.handle.run_upkeep();
        // Series expire only when they are rendered, which may happen nowhere else.
        let _ = self.handle.render_to_write(&mut std::io::sink());
    }
}

/// Reasons why metrics cannot be collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// The recorder cannot be created.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A recorder has been installed before.
    #[error("attempted to set a recorder after the metrics system was already initialized")]
    Installed,
}

/// Installs the process's recorder, and returns the metrics.
///
/// # Errors
/// When a recorder is already installed, or cannot be created.
pub fn install() -> Result<Metrics, MetricsError> {
    // From 1 ms to 10 s: a commit takes a few milliseconds, a takeover up to seconds.
    const BUCKETS: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
    let inner = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
        .idle_timeout(MetricKindMask::COUNTER | MetricKindMask::GAUGE, Some(series::EXPIRES_AFTER))
        .build_recorder();
    let metrics = Metrics { handle: inner.handle(), series: Series::default() };
    metrics::set_global_recorder(KeepingRecorder { inner, series: metrics.series.clone() })
        .map_err(|_| MetricsError::Installed)?;
    describe_counter!(FRAGMENTS, "Fragments committed");
    describe_counter!(BYTES, "Bytes of payload of fragments committed");
    describe_gauge!(
        MILLIS_BEHIND_NOW,
        "How far the last fragment pulled was behind the live edge, as reported by the service"
    );
    describe_histogram!(COMMIT_LATENCY, "Time from receiving a fragment's last byte to its commit");
    describe_histogram!(TRANSACTION, "Time from a transaction's begin to its commit");
    describe_counter!(SHARDS_LOST, "Shards lost, or not acquired, by reason");
    describe_counter!(
        SHARDS_FENCED,
        "Shards lost because another producer acquired the id, or a transaction timed out"
    );
    describe_counter!(SHARDS_REACQUIRED, "Times a lost shard was acquired again, by the reason for the loss");
    describe_histogram!(SHARD_ACQUIRE_DURATION, "Time from a new producer to the end of the recovery read");
    describe_counter!(DUPLICATES, "Fragments dropped because they were already published");
    describe_counter!(SESSIONS, "GetMedia sessions opened");
    describe_counter!(FAILURES, "Failures of GetMedia that were retried, by reason");
    describe_counter!(PASSED_OVER, "Fragments passed over because they cannot be parsed");
    describe_counter!(INCOMPLETE, "Fragments published without their end, after three attempts");
    describe_counter!(TIMESTAMPS_REPLACED, "Record timestamps replaced by ingest time, by reason");
    describe_counter!(CALLS, "Calls to the service, by operation, stream and outcome");
    describe_counter!(CALL_ATTEMPTS, "Requests sent for these calls");
    describe_histogram!(CALL_DURATION, "Duration of calls with all their attempts; for sessions, until they began");
    describe_counter!(POSITIONS_LOST, "Times the service no longer knew a stream's position");
    describe_gauge!(CAUGHT_UP, "Whether a stream has caught up with the live edge");
    describe_counter!(AT_RATE_LIMIT, "Times a stream fell behind at the service's maximum rate of a session");
    describe_gauge!(BACKFILL, "Progress of a backfill through its range, 0 to 1");
    describe_gauge!(STREAMS_FAILED, "Streams that have been given up until a restart");
    describe_gauge!(DATA_PARTITIONS_OFFLINE, "Partitions of the data topics that have no leader");
    describe_counter!(PANICS, "Panics that were caught, by the part that panicked");
    describe_counter!(NOTIFICATIONS_DROPPED, "Notifications that could not be written");
    describe_counter!(
        REST_CONNECTIONS_CLOSED,
        "Connections to the REST API that were closed to make room for others, or not accepted, by reason"
    );
    describe_counter!(LOG_LINES_DROPPED, "Log lines dropped because they could not be written, or not fast enough");
    describe_gauge!(OUT_OF_FILES, "Whether the process has no file descriptors left");
    describe_gauge!(BUDGET_USED, "Bytes of the memory budget in use");
    Ok(metrics)
}

fn labels(key: &OffsetKey) -> [(&'static str, String); 2] {
    [("connector", key.connector.clone()), ("stream", key.stream.clone())]
}

pub(crate) fn committed(fragments: &[Committed]) {
    for fragment in fragments {
        if !fragment.is_fragment {
            continue;
        }
        let labels = labels(&fragment.key);
        counter!(FRAGMENTS, &labels).increment(1);
        counter!(BYTES, &labels).increment(fragment.size_bytes as u64);
        histogram!(COMMIT_LATENCY).record(fragment.received.elapsed());
    }
}

pub(crate) fn rest_connection_closed(reason: &'static str) {
    counter!(REST_CONNECTIONS_CLOSED, "reason" => reason).increment(1);
}

pub(crate) fn transaction_committed(took: Duration) {
    histogram!(TRANSACTION).record(took);
}

pub(crate) fn shard_acquired(took: Duration) {
    histogram!(SHARD_ACQUIRE_DURATION).record(took);
}

pub(crate) fn shard_lost(reason: &'static str) {
    counter!(SHARDS_LOST, "reason" => reason).increment(1);
    if matches!(reason, "fenced" | "unknown_producer") {
        counter!(SHARDS_FENCED, "reason" => reason).increment(1);
    }
}

pub(crate) fn shard_reacquired(reason: &'static str) {
    counter!(SHARDS_REACQUIRED, "reason" => reason).increment(1);
}

pub(crate) fn duplicate_dropped(key: &OffsetKey) {
    counter!(DUPLICATES, &labels(key)).increment(1);
}

pub(crate) fn session_opened(key: &OffsetKey) {
    counter!(SESSIONS, &labels(key)).increment(1);
}

pub(crate) fn failed(key: &OffsetKey, reason: &'static str) {
    let [connector, stream] = labels(key);
    counter!(FAILURES, &[connector, stream, ("reason", reason.to_owned())]).increment(1);
}

pub(crate) fn passed_over(key: &OffsetKey) {
    counter!(PASSED_OVER, &labels(key)).increment(1);
}

pub(crate) fn incomplete(key: &OffsetKey) {
    counter!(INCOMPLETE, &labels(key)).increment(1);
}

pub(crate) fn millis_behind_now(key: &OffsetKey, millis: i64) {
    gauge!(MILLIS_BEHIND_NOW, &labels(key)).set(millis as f64);
}

pub(crate) fn timestamp_replaced(key: &OffsetKey, reason: &'static str) {
    let [connector, stream] = labels(key);
    counter!(TIMESTAMPS_REPLACED, &[connector, stream, ("reason", reason.to_owned())]).increment(1);
}

/// Counts a stream that has failed, or whose failure is over.
pub(crate) fn stream_failed(failed: bool) {
    gauge!(STREAMS_FAILED).increment(if failed { 1.0 } else { -1.0 });
}

/// Sets the number of partitions without a leader, of all topics that connectors write to.
pub(crate) fn data_partitions_offline(count: usize) {
    gauge!(DATA_PARTITIONS_OFFLINE).set(count as f64);
}

pub(crate) fn notifications_dropped(key: &OffsetKey, count: u64) {
    counter!(NOTIFICATIONS_DROPPED, &labels(key)).increment(count);
}

pub(crate) fn position_lost(key: &OffsetKey) {
    counter!(POSITIONS_LOST, &labels(key)).increment(1);
}

pub(crate) fn caught_up(key: &OffsetKey, caught_up: bool) {
    gauge!(CAUGHT_UP, &labels(key)).set(f64::from(u8::from(caught_up)));
}

pub(crate) fn at_rate_limit(key: &OffsetKey) {
    counter!(AT_RATE_LIMIT, &labels(key)).increment(1);
}

pub(crate) fn backfill(key: &OffsetKey, permille: u32) {
    gauge!(BACKFILL, &labels(key)).set(f64::from(permille) / 1_000.0);
}

/// Counts a connector's calls to the service, and logs them.
pub struct CallMetrics {
    /// Name of the connector.
    pub connector: String,
}

impl CallObserver for CallMetrics {
    fn called(&self, report: &CallReport<'_>) {
        LogCalls.called(report);
        let stream = report.stream.map_or(String::new(), |stream| stream.as_str().to_owned());
        let api = report.operation.name();
        let labels = [("connector", self.connector.clone()), ("stream", stream), ("api", api.to_owned())];
        counter!(CALL_ATTEMPTS, &labels).increment(u64::from(report.attempts));
        let [connector, stream, of_api] = labels;
        counter!(CALLS, &[connector, stream, of_api, ("outcome", report.outcome.to_owned())]).increment(1);
        // By operation only: a histogram per stream would be thirteen series each.
        histogram!(CALL_DURATION, "api" => api).record(report.duration);
    }
}

/// Counts a panic, by the part that panicked.
pub(crate) fn panicked(part: &'static str) {
    counter!(PANICS, "part" => part).increment(1);
}

/// Records values that are counted elsewhere, before the metrics are rendered.
pub(crate) fn process(log_lines_dropped: u64, out_of_files: bool) {
    counter!(LOG_LINES_DROPPED).absolute(log_lines_dropped);
    gauge!(OUT_OF_FILES).set(f64::from(u8::from(out_of_files)));
}

pub(crate) fn budget_used(bytes: usize) {
    gauge!(BUDGET_USED).set(bytes as f64);
}
