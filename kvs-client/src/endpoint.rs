//! Data endpoints, which the service gives out per stream and which go stale.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use url::Url;

use crate::stream_ref::StreamRef;

/// An endpoint is fetched again after so long: in practice it is good for 45 minutes (`getmedia.md`).
const LIFETIME: Duration = Duration::from_secs(40 * 60);

/// The data endpoints that are known. As many as there are streams.
#[derive(Debug, Default)]
pub(crate) struct EndpointCache(Mutex<HashMap<StreamRef, (Url, Instant)>>);

impl EndpointCache {
    pub(crate) async fn get(&self, stream: &StreamRef) -> Option<Url> {
        let endpoints = self.0.lock().await;
        endpoints.get(stream).filter(|(_, since)| since.elapsed() < LIFETIME).map(|(url, _)| url.clone())
    }

    pub(crate) async fn put(&self, stream: &StreamRef, url: Url) {
        self.0.lock().await.insert(stream.clone(), (url, Instant::now()));
    }

    pub(crate) async fn invalidate(&self, stream: &StreamRef) {
        self.0.lock().await.remove(stream);
    }
}
