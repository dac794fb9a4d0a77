//! Trying a connector's connections before it is made: to the service, and to its topic.

use std::sync::Arc;
use std::time::Duration;

use super::plan::Dependencies;
use super::{OperationError, Worker, turns};
use crate::cluster::Settings;
use crate::config::connector::StreamsConfig;
use crate::config::service_errors::explain;
use crate::config::table::connector::service::REGION;
use crate::config::table::connector::streams::{LIST, PREFIX};
use crate::config::{ConnectorConfig, Problem, check, secrets};

/// How many of a connector's streams the service is asked for, at most.
const STREAMS_TRIED_MAX: usize = 5;
/// How long the service may take to answer.
const TRY_TIMEOUT: Duration = Duration::from_secs(10);

impl Worker {
    /// Returns what is wrong with settings; with `connect` the service and Kafka are asked, too, where the settings are right.
    ///
    /// # Errors
    /// `OperationError` while the worker is starting.
    pub async fn problems(&self, settings: &Settings, connect: bool) -> Result<Vec<Problem>, OperationError> {
        let view = self.view()?;
        let stored = settings.get("name").and_then(|name| view.settings(name)).and_then(|stored| stored.as_ref().ok());
        let settings = secrets::unmasked(settings.clone(), stored);
        drop(view);
        // Files of secrets are read for it.
        let (turn, worker) = (self.errands.turn().await?, Arc::clone(&self.config));
        let checked = turns::within(turn, move || check::connector(Some(&worker), "settings", &settings));
        let (config, resolved) = match checked.await? {
            Ok(read) => read,
            Err(problems) => return Ok(problems),
        };
        let Some(dependencies) = self.dependencies.get().filter(|_| connect) else { return Ok(Vec::new()) };
        let _turn = self.errands.turn().await?;
        let of_topic = dependencies.topic_problems(&config).await;
        let mut problems: Vec<Problem> =
            of_topic.into_iter().map(|(key, reason)| Problem::new("settings", &key, resolved.hide(&reason))).collect();
        let tried = tokio::time::timeout(TRY_TIMEOUT, try_service(dependencies, &config)).await;
        let said = match tried {
            Ok(Ok(())) => None,
            Ok(Err(said)) => Some(said),
            Err(_) => {
                let reason = format!("the service gives no answer within {} s", TRY_TIMEOUT.as_secs());
                Some(Untried { key: REGION.name(), reason })
            }
        };
        problems.extend(said.map(|Untried { key, reason }| Problem::new("settings", key, resolved.hide(&reason))));
        Ok(problems)
    }
}

/// Why the service cannot be used as the settings say.
struct Untried {
    /// The setting that most likely has to be changed.
    key: &'static str,
    /// What the service said, or what kept it from being asked.
    reason: String,
}

/// Asks the service for the connector's streams: for some of those that are listed, else for those that are found.
async fn try_service(dependencies: &Dependencies, config: &ConnectorConfig) -> Result<(), Untried> {
    let client =
        dependencies.client(config).await.map_err(|error| Untried { key: REGION.name(), reason: explain(&error) })?;
    match &config.streams {
        StreamsConfig::Listed(streams) => {
            for stream in streams.iter().take(STREAMS_TRIED_MAX) {
                let tried = client.try_stream(stream).await;
                tried
                    .map_err(|error| Untried { key: LIST.name(), reason: format!("{stream}: {}", explain(&error)) })?;
            }
        }
        StreamsConfig::Discovered(discovery) => {
            let listed = client.list_streams(discovery.prefix.as_deref()).await;
            listed.map_err(|error| Untried { key: PREFIX.name(), reason: explain(&error) })?;
        }
    }
    Ok(())
}
