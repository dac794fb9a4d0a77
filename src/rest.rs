//! What a worker answers over HTTP: today `/health`, `/metrics` and `/streams`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::connector::StreamState;
use crate::worker::WorkerView;

/// Begins to listen; answers the address, which for port 0 is only known now.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn listen(
    address: SocketAddr,
    view: Arc<WorkerView>,
    stop: CancellationToken,
) -> std::io::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let router = Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/streams", get(streams))
        .with_state(view);
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the listener ended");
        }
    });
    Ok(bound)
}

/// Connect's answer, with the streams that have failed beside it.
async fn health(State(view): State<Arc<WorkerView>>) -> (StatusCode, Json<Value>) {
    if !view.started.load(Ordering::Acquire) {
        let message = "Worker is still starting up.";
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "starting", "message": message })));
    }
    let failed: Vec<Value> = view
        .states
        .all()
        .into_iter()
        .filter_map(|(key, status)| match status.state {
            StreamState::Failed { reason } => {
                Some(json!({ "connector": key.connector, "stream": key.stream, "reason": reason }))
            }
            _ => None,
        })
        .collect();
    let message = "Worker has completed startup and is ready to handle requests.";
    (StatusCode::OK, Json(json!({ "status": "healthy", "message": message, "failed_streams": failed })))
}

/// How each stream of this worker is.
async fn streams(State(view): State<Arc<WorkerView>>) -> Json<Value> {
    Json(view.states.all().iter().map(|(key, status)| status.to_json(key)).collect())
}

async fn metrics(State(view): State<Arc<WorkerView>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], view.metrics.render())
}
