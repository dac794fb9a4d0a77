//! The worker itself and the streams on it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::connector::state::{BackfillProgress, StreamState};
use crate::model::OffsetKey;

/// The versions of a worker and its Kafka cluster.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct WorkerInfo {
    /// The version of Kafka Connect whose REST API this is.
    pub(in crate::rest) version: &'static str,
    /// The worker's own version.
    pub(in crate::rest) kvs_connect_version: &'static str,
    /// The commit from which the worker was built.
    pub(in crate::rest) commit: &'static str,
    /// The Kafka cluster's id; null until it is known.
    pub(in crate::rest) kafka_cluster_id: Option<String>,
}

/// Whether a worker is healthy.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::rest) enum HealthStatus {
    Starting,
    Healthy,
    Unhealthy,
}

/// A stream that has failed on this worker.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::rest) struct FailedStream {
    /// The name of its connector.
    pub(in crate::rest) connector: String,
    /// Its name.
    pub(in crate::rest) stream: String,
    /// Why it has failed, and what to do.
    pub(in crate::rest) reason: String,
}

/// A connector that has failed.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::rest) struct FailedConnector {
    /// Its name.
    pub(in crate::rest) connector: String,
    /// The worker that reports it.
    pub(in crate::rest) worker_id: String,
    /// Why it has failed: the first line of its trace.
    pub(in crate::rest) reason: String,
}

/// The health of a worker.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct Health {
    /// Whether the worker is healthy.
    pub(in crate::rest) status: HealthStatus,
    /// A description for people, with the reason.
    pub(in crate::rest) message: String,
    /// The streams that have failed on this worker; only for authenticated users.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<FailedStream>")]
    pub(in crate::rest) failed_streams: Option<Vec<FailedStream>>,
    /// The connectors that have failed, on any worker of the group, at most 100 of them; only for authenticated users. They
    /// do not make this worker unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<FailedConnector>")]
    pub(in crate::rest) failed_connectors: Option<Vec<FailedConnector>>,
}

/// The state of a stream.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(inline)]
pub(in crate::rest) enum StreamStateName {
    Starting,
    Running,
    WaitingForRest,
    WaitingForMemory,
    WaitingForOutput,
    Retrying,
    Backfilling,
    WaitingForTime,
    Completed,
    Gone,
    Failed,
}

/// The progress of a backfill.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct Backfill {
    /// The part of the range's time that is done.
    #[schemars(range(min = 0, max = 100))]
    pub(in crate::rest) percent: f64,
    /// Fragments read since this worker acquired the stream.
    pub(in crate::rest) fragments: u64,
    /// Bytes of these fragments.
    pub(in crate::rest) size_bytes: u64,
    /// Time left in seconds, at the rate so far.
    pub(in crate::rest) eta_s: Option<u64>,
}

impl From<&BackfillProgress> for Backfill {
    fn from(progress: &BackfillProgress) -> Self {
        Self {
            percent: f64::from(progress.permille) / 10.0,
            fragments: progress.fragments,
            size_bytes: progress.size_bytes,
            eta_s: progress.eta_s,
        }
    }
}

/// The status of a stream in detail.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct StreamStatus {
    /// The name of its connector.
    pub(in crate::rest) connector: String,
    /// Its name.
    pub(in crate::rest) stream: String,
    /// Its state.
    pub(in crate::rest) state: StreamStateName,
    /// How far the last fragment was behind the live edge, as reported by the service.
    pub(in crate::rest) millis_behind_now: Option<i64>,
    /// Whether the stream has caught up with the live edge.
    pub(in crate::rest) caught_up: Option<bool>,
    /// The number of errors by code.
    pub(in crate::rest) errors: BTreeMap<&'static str, u64>,
    /// The session's rate when it is the service's maximum and the stream falls behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub(in crate::rest) at_rate_limit_bytes_per_second: Option<u64>,
    /// In WAITING_FOR_REST: the number of the fragment whose rest has not arrived, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub(in crate::rest) fragment_number: Option<Option<String>>,
    /// In RETRYING, GONE and FAILED: the reason, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(in crate::rest) reason: Option<String>,
    /// In BACKFILLING, WAITING_FOR_TIME and COMPLETED: the progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Backfill")]
    pub(in crate::rest) backfill: Option<Backfill>,
}

impl StreamStatus {
    pub(in crate::rest) fn of(key: OffsetKey, status: &crate::connector::state::StreamStatus) -> Self {
        let (mut fragment_number, mut reason, mut backfill) = (None, None, None);
        let state = match &status.state {
            StreamState::Starting => StreamStateName::Starting,
            StreamState::Running => StreamStateName::Running,
            StreamState::WaitingForMemory => StreamStateName::WaitingForMemory,
            StreamState::WaitingForOutput => StreamStateName::WaitingForOutput,
            StreamState::WaitingForRest { fragment_number: number } => {
                fragment_number = Some(number.as_deref().map(str::to_owned));
                StreamStateName::WaitingForRest
            }
            StreamState::Retrying { reason: why } => {
                reason = Some(why.clone());
                StreamStateName::Retrying
            }
            StreamState::Gone { reason: why } => {
                reason = Some(why.clone());
                StreamStateName::Gone
            }
            StreamState::Failed { reason: why } => {
                reason = Some(why.clone());
                StreamStateName::Failed
            }
            StreamState::Backfilling(progress) => {
                backfill = Some(progress.into());
                StreamStateName::Backfilling
            }
            StreamState::Completed(progress) => {
                backfill = Some(progress.into());
                StreamStateName::Completed
            }
            StreamState::WaitingForTime { progress, .. } => {
                backfill = Some(progress.into());
                StreamStateName::WaitingForTime
            }
        };
        Self {
            connector: key.connector,
            stream: key.stream,
            state,
            millis_behind_now: status.millis_behind_now,
            caught_up: status.caught_up,
            errors: status.errors.clone(),
            at_rate_limit_bytes_per_second: status.at_rate_limit_bytes_per_second,
            fragment_number,
            reason,
            backfill,
        }
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
