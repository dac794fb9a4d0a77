//! Data endpoints, which the service gives out per stream and operation and which go stale.

pub(crate) mod rules;

use std::collections::HashMap;
use std::time::Duration;

use kvs_api::Operation;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::stream_ref::StreamRef;

/// An endpoint is fetched again after so long: in practice it is good for 45 minutes (docs/GETMEDIA.md).
const LIFETIME: Duration = Duration::from_secs(40 * 60);

/// The data endpoints that are known. As many as there are streams and operations on their data.
#[derive(Debug, Default)]
pub(crate) struct EndpointCache(Mutex<HashMap<(StreamRef, Operation), (Url, Instant)>>);

impl EndpointCache {
    pub(crate) async fn get(&self, stream: &StreamRef, operation: Operation) -> Option<Url> {
        let endpoints = self.0.lock().await;
        let known = endpoints.get(&(stream.clone(), operation));
        known.filter(|(_, since)| since.elapsed() < LIFETIME).map(|(url, _)| url.clone())
    }

    pub(crate) async fn put(&self, stream: &StreamRef, operation: Operation, url: Url) {
        self.0.lock().await.insert((stream.clone(), operation), (url, Instant::now()));
    }

    /// Whatever broke, the endpoints of the stream are asked for again.
    pub(crate) async fn invalidate(&self, stream: &StreamRef) {
        self.0.lock().await.retain(|(known, _), _| known != stream);
    }
}

#[cfg(test)]
#[path = "endpoint/endpoint_tests.rs"]
mod tests;
