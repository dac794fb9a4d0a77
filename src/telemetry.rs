//! Metrics: every name in one place ([`definitions`]).
//!
//! **Contract.** Nothing grows with time: label sets are bounded by the configuration, series are removed with their streams
//! ([`series`]), and samples are drained into histograms by [`Metrics::upkeep`], whether anybody reads them or not.

use std::time::Duration;

use kvs_client::{CallObserver, CallReport, LogCalls};
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use metrics_util::MetricKindMask;

use definitions::{
    AT_RATE_LIMIT, BACKFILL, BUDGET_USED, BYTES, CALL_ATTEMPTS, CALL_DURATION, CALLS, CAUGHT_UP, COMMIT_LATENCY,
    CONNECTORS_FAILED, DATA_PARTITIONS_OFFLINE, DUPLICATES, FAILURES, FRAGMENTS, FRAMES_SKIPPED, HEALTHY, INCOMPLETE,
    LOG_LINES_DROPPED, MILLIS_BEHIND_NOW, NOTIFICATIONS_DROPPED, OUT_OF_FILES, PANICS, PASSED_OVER, POSITIONS_LOST,
    REST_CONNECTIONS_CLOSED, SESSIONS, SHARD_ACQUIRE_DURATION, SHARDS_FENCED, SHARDS_LOST, SHARDS_REACQUIRED,
    STREAMS_FAILED, TIMESTAMPS_REPLACED, TRANSACTION,
};
pub use definitions::{Definition, Kind, METRICS};
use series::{KeepingRecorder, Series};

use crate::model::{Committed, OffsetKey};

mod definitions;
mod series;

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
    let (recorder, metrics) = recorder()?;
    metrics::set_global_recorder(recorder).map_err(|_| MetricsError::Installed)?;
    definitions::describe();
    Ok(metrics)
}

/// Creates a recorder, and what it renders.
fn recorder() -> Result<(KeepingRecorder<PrometheusRecorder>, Metrics), MetricsError> {
    // From 1 ms to 10 s: a commit takes a few milliseconds, a takeover up to seconds.
    const BUCKETS: [f64; 13] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
    let inner = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?
        .idle_timeout(MetricKindMask::COUNTER | MetricKindMask::GAUGE, Some(series::EXPIRES_AFTER))
        .build_recorder();
    let metrics = Metrics { handle: inner.handle(), series: Series::default() };
    Ok((KeepingRecorder { inner, series: metrics.series.clone() }, metrics))
}

fn labels(key: &OffsetKey) -> [(&'static str, String); 2] {
    [("connector", key.connector.clone()), ("stream", key.stream.clone())]
}

/// Lists a stream's counter of fragments from its start, so that one that publishes nothing can be told from none.
pub(crate) fn stream_started(key: &OffsetKey) {
    counter!(FRAGMENTS, &labels(key)).increment(0);
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

/// Counts frames that are left out because they cannot be converted.
pub(crate) fn frames_skipped(key: &OffsetKey, count: u64) {
    counter!(FRAMES_SKIPPED, &labels(key)).increment(count);
}

pub(crate) fn passed_over(key: &OffsetKey, stage: &'static str) {
    let [connector, stream] = labels(key);
    counter!(PASSED_OVER, &[connector, stream, ("stage", stage.to_owned())]).increment(1);
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

/// Records whether the worker is healthy, and how many connectors of its group have failed, before the metrics are rendered.
pub(crate) fn health(is_healthy: bool, connectors_failed: usize) {
    gauge!(HEALTHY).set(f64::from(u8::from(is_healthy)));
    gauge!(CONNECTORS_FAILED).set(connectors_failed as f64);
}

pub(crate) fn budget_used(bytes: usize) {
    gauge!(BUDGET_USED).set(bytes as f64);
}
