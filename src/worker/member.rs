//! The worker as the herder sees it: a member of its group.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::plan::Dependencies;
use super::shards::Shards;
use crate::config::ConnectorConfig;
use crate::config::connector::StreamsConfig;
use crate::config::service_errors::explain;
use crate::config::table::connector::service::REGION;
use crate::config::table::connector::streams::{LIST, PREFIX};
use crate::herder::Member;

/// The maximum number of a connector's streams that a validation requests from the service.
const STREAMS_TRIED_MAX: usize = 5;
/// How long the service may take to respond.
const TRY_TIMEOUT: Duration = Duration::from_secs(10);

/// A worker that is joining its group, or has joined it.
pub(super) struct GroupMember {
    pub(super) cluster_id: Option<String>,
    pub(super) shards: Arc<Shards>,
    pub(super) dependencies: Arc<Dependencies>,
}

impl Member for GroupMember {
    fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    fn apart(&self) -> Option<String> {
        self.shards.apart()
    }

    fn standing_still(&self) -> Option<String> {
        self.shards.standing_still()
    }

    fn budget_used_bytes(&self) -> usize {
        self.dependencies.budget_used_bytes()
    }

    fn try_connections<'a>(&'a self, connector: &'a ConnectorConfig) -> BoxFuture<'a, Vec<(String, String)>> {
        async move {
            let mut found = self.dependencies.topic_problems(connector).await;
            let tried = tokio::time::timeout(TRY_TIMEOUT, try_service(&self.dependencies, connector)).await;
            let no_answer =
                |_| Err((REGION.name(), format!("the service does not respond within {} s", TRY_TIMEOUT.as_secs())));
            found.extend(tried.unwrap_or_else(no_answer).err().map(|(key, reason)| (key.to_owned(), reason)));
            found
        }
        .boxed()
    }
}

/// Requests some of a connector's streams from the service.
///
/// # Errors
/// Returns the setting that is wrong, and why.
async fn try_service(dependencies: &Dependencies, config: &ConnectorConfig) -> Result<(), (&'static str, String)> {
    let client = dependencies.client(config).await.map_err(|error| (REGION.name(), explain(&error)))?;
    match &config.streams {
        StreamsConfig::Listed(streams) => {
            for stream in streams.iter().take(STREAMS_TRIED_MAX) {
                let tried = client.try_stream(stream).await;
                tried.map_err(|error| (LIST.name(), format!("{stream}: {}", explain(&error))))?;
            }
        }
        StreamsConfig::Discovered(discovery) => {
            let listed = client.list_streams(discovery.prefix.as_deref()).await;
            listed.map_err(|error| (PREFIX.name(), explain(&error)))?;
        }
    }
    Ok(())
}
