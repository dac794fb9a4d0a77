//! What a worker reports about itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::access::Caller;
use super::api::worker::{
    FailedConnector, FailedStream, Health as HealthShown, HealthStatus, StreamStatus, WorkerInfo,
};
use super::routes::{Herder, Routes, operation};
use super::schemas::AnyObject;
use crate::connector::Reported;
use crate::herder::Health;

/// The version of Kafka Connect whose REST API this is: its clients decide by it which features to use.
const CONNECT_VERSION: &str = "4.1.0";

/// The OpenAPI document as it is served.
#[derive(Clone)]
pub(super) struct ServedDocument(pub(super) Arc<str>);

pub(super) fn routes() -> Routes {
    Routes::new("worker")
        .get(
            "/",
            root,
            operation("getWorker", "Get the worker's versions and its Kafka cluster")
                .returns::<WorkerInfo>(200, "This worker."),
        )
        .get(
            super::access::OPEN,
            health,
            operation("getHealth", "Check whether this worker is healthy")
                .describe(
                    "Needs no authentication and accepts any host name; failed streams and connectors are listed only for \
                     authenticated users. They do not make the worker unhealthy: starting it again would not mend them.",
                )
                .open()
                .returns::<HealthShown>(200, "The worker is healthy.")
                .returns::<HealthShown>(
                    500,
                    "The worker has lost touch with Kafka, a shard makes no progress, or no file descriptors are left.",
                )
                .returns::<HealthShown>(503, "The worker has not joined its group yet."),
        )
        .get(
            "/metrics",
            metrics,
            operation("getMetrics", "Get metrics for Prometheus").returns_text(
                200,
                "Metrics in text format 0.0.4.",
                "text/plain",
            ),
        )
        .get(
            "/streams",
            streams,
            operation("listStreams", "List the streams of this worker in detail")
                .returns::<Vec<StreamStatus>>(200, "The streams of this worker."),
        )
        .get(
            "/openapi.json",
            openapi,
            operation("getOpenapi", "Get this document").returns::<AnyObject>(200, "OpenAPI 3."),
        )
}

/// Returns the worker's versions and its Kafka cluster.
async fn root(State(herder): State<Herder>) -> Json<WorkerInfo> {
    Json(WorkerInfo {
        version: CONNECT_VERSION,
        kvs_connect_version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("KVS_CONNECT_COMMIT").unwrap_or("unknown"),
        kafka_cluster_id: herder.cluster_id(),
    })
}

/// Returns Connect's answer; callers who may read also get what has failed.
async fn health(State(herder): State<Herder>, Extension(caller): Extension<Caller>) -> (StatusCode, Json<HealthShown>) {
    let (code, status, message) = match herder.health() {
        Health::Starting(reason) => {
            let reason = reason.map(|reason| format!(" {reason}")).unwrap_or_default();
            let message = format!("Worker is still starting up.{reason}");
            (StatusCode::SERVICE_UNAVAILABLE, HealthStatus::Starting, message)
        }
        Health::Unhealthy(reason) => (StatusCode::INTERNAL_SERVER_ERROR, HealthStatus::Unhealthy, reason),
        Health::Healthy => {
            let message = "Worker has completed startup and is ready to handle requests.".to_owned();
            (StatusCode::OK, HealthStatus::Healthy, message)
        }
    };
    let failed_streams = caller.may_look().then(|| {
        let failed = herder.streams().into_iter().filter_map(|(key, status)| match status.reported() {
            Reported::Failed(reason) => Some(FailedStream { connector: key.connector, stream: key.stream, reason }),
            _ => None,
        });
        failed.collect()
    });
    let failed_connectors = caller.may_look().then(|| {
        let failed = herder.failed_connectors().into_iter();
        failed.map(|found| FailedConnector { connector: found.name, worker_id: found.worker_id, reason: found.reason })
    });
    let failed_connectors = failed_connectors.map(Iterator::collect);
    (code, Json(HealthShown { status, message, failed_streams, failed_connectors }))
}

/// Returns the status of each stream on this worker.
async fn streams(State(herder): State<Herder>) -> Json<Vec<StreamStatus>> {
    Json(herder.streams().into_iter().map(|(key, status)| StreamStatus::of(key, &status)).collect())
}

/// Returns the metrics for Prometheus.
async fn metrics(State(herder): State<Herder>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], herder.render_metrics())
}

/// Returns the OpenAPI document.
async fn openapi(Extension(ServedDocument(document)): Extension<ServedDocument>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], document.to_string())
}
