//! What a worker says of itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::access::Caller;
use crate::connector::Reported;
use crate::worker::Worker;
use crate::worker::operations::Health;

/// The version of Kafka Connect whose REST API this is: its clients decide by it what they may ask for.
const CONNECT_VERSION: &str = "4.1.0";

/// Versions and cluster.
pub(super) async fn root(State(worker): State<Arc<Worker>>) -> Json<Value> {
    Json(json!({
        "version": CONNECT_VERSION,
        "kvs_connect_version": env!("CARGO_PKG_VERSION"),
        "commit": option_env!("KVS_CONNECT_COMMIT").unwrap_or("unknown"),
        "kafka_cluster_id": worker.cluster_id(),
    }))
}

/// Connect's answer; to those who may look, with the streams that have failed here.
pub(super) async fn health(
    State(worker): State<Arc<Worker>>,
    Extension(caller): Extension<Caller>,
) -> (StatusCode, Json<Value>) {
    let (code, status, message) = match worker.health() {
        Health::Starting(reason) => {
            let reason = reason.map(|reason| format!(" {reason}")).unwrap_or_default();
            (StatusCode::SERVICE_UNAVAILABLE, "starting", format!("Worker is still starting up.{reason}"))
        }
        Health::Unhealthy(reason) => (StatusCode::INTERNAL_SERVER_ERROR, "unhealthy", reason),
        Health::Healthy => {
            (StatusCode::OK, "healthy", "Worker has completed startup and is ready to handle requests.".to_owned())
        }
    };
    let mut body = json!({ "status": status, "message": message });
    if caller.may_look() {
        let failed = worker.streams().into_iter().filter_map(|(key, status)| match status.reported() {
            Reported::Failed(reason) => {
                Some(json!({ "connector": key.connector, "stream": key.stream, "reason": reason }))
            }
            _ => None,
        });
        body["failed_streams"] = failed.collect();
    }
    (code, Json(body))
}

/// How each stream of this worker is.
pub(super) async fn streams(State(worker): State<Arc<Worker>>) -> Json<Value> {
    Json(worker.streams().iter().map(|(key, status)| status.to_json(key)).collect())
}

/// For Prometheus.
pub(super) async fn metrics(State(worker): State<Arc<Worker>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], worker.render_metrics())
}

/// The description of all this.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], super::OPENAPI)
}
