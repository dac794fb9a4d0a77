//! Reads the rest of a request after its refusal.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures::StreamExt;

/// How long the body of a refused request is read.
const LINGERING_TIME: Duration = Duration::from_secs(1);

/// Reads and discards a refused request's body for a moment. A client whose connection is closed while it is still
/// sending may never read the response.
pub(crate) async fn linger(body: &mut BodyDataStream) {
    let reading = async { while let Some(Ok(_)) = body.next().await {} };
    let _ = tokio::time::timeout(LINGERING_TIME, reading).await;
}
