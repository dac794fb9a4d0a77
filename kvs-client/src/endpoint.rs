//! Where requests go: the service's own endpoints by its rules, and the data endpoints that it returns.
//!
//! [`rules`] has the URLs, [`location`] the result of a client's settings; this file keeps the data endpoints, which
//! the service returns per stream and operation, and which become stale.

pub(crate) mod location;
pub(crate) mod rules;

use std::collections::HashMap;
use std::time::Duration;

use kvs_api::Operation;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::stream_ref::StreamRef;

/// The age at which a data endpoint is requested again: in practice one is valid for 45 minutes
/// (amazon-kinesis-video-streams-parser-library issue 96).
const LIFETIME: Duration = Duration::from_secs(40 * 60);

/// The known data endpoints: at most one for each stream and operation on its data.
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

    /// Forgets the stream's endpoints for all operations, so that they are requested again.
    pub(crate) async fn invalidate(&self, stream: &StreamRef) {
        self.0.lock().await.retain(|(known, _), _| known != stream);
    }
}

#[cfg(test)]
#[path = "endpoint/cache_tests.rs"]
mod tests;
