//! Tries connectors' settings with Kafka, the service and the store of payloads. Nothing is created but a small object in the
//! store, which is removed again, and the folder of a store that is one.
//!
//! REST's validation tries one connector as a running worker; `kvs-connect validate --connect` tries files without one.

use std::sync::Arc;
use std::time::Duration;

use super::error::WorkerError;
use super::plan::{self, Dependencies};
use super::startup;
use crate::config::connector::StreamsConfig;
use crate::config::secrets::Resolved;
use crate::config::service_errors::explain;
use crate::config::table::connector::payload::STORE_URL;
use crate::config::table::connector::service::REGION;
use crate::config::table::connector::streams::{LIST, PREFIX};
use crate::config::{ConnectorConfig, Problem, WorkerConfig};
use crate::kafka::{DataTopics, Topics, Unreachable};
use crate::payload_store::PayloadStore;
use crate::supervision::{Part, blocking};

/// The maximum number of a connector's streams that are requested from the service.
const STREAMS_TRIED_MAX: usize = 5;
/// How long the service may take to respond.
const SERVICE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the store of payloads may take to accept a small object.
const STORE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long Kafka may take to respond.
const KAFKA_TIMEOUT: Duration = Duration::from_secs(10);

/// The result of trying connectors.
#[derive(Debug)]
pub struct Tried {
    /// The settings that Kafka or the service refuses.
    pub problems: Vec<Problem>,
    /// Why Kafka cannot be reached; the topics were not looked up then.
    pub kafka: Option<Unreachable>,
}

/// Tries connectors as a worker with these settings would run them. Needs no running worker.
///
/// # Errors
/// When Kafka's client rejects the worker's settings.
pub async fn try_all(config: WorkerConfig, connectors: &[(ConnectorConfig, Resolved)]) -> Result<Tried, WorkerError> {
    let settings = plan::kafka_settings(&config);
    let topics = Arc::new(Topics::new(&settings).map_err(startup::refused_settings)?);
    let data_topics = Arc::new(DataTopics::new(&settings).map_err(startup::refused_settings)?);
    let kafka = topics.reach(KAFKA_TIMEOUT).await.err();
    let dependencies = Dependencies::new(Arc::new(config), topics, data_topics);
    let mut problems = Vec::new();
    for (connector, resolved) in connectors {
        let found = match kafka {
            None => try_connector(&dependencies, connector).await,
            Some(_) => try_others(&dependencies, connector).await,
        };
        let shown = |(key, reason): (String, String)| Problem::new(&connector.place, &key, resolved.hide(&reason));
        problems.extend(found.into_iter().map(shown));
    }
    Ok(Tried { problems, kafka })
}

/// Tries a connector's settings with Kafka and the service. Returns each setting that is wrong, with the reason.
pub(super) async fn try_connector(dependencies: &Dependencies, connector: &ConnectorConfig) -> Vec<(String, String)> {
    let mut found = dependencies.topic_problems(connector).await;
    found.extend(try_others(dependencies, connector).await);
    found
}

/// Tries what is not Kafka.
async fn try_others(dependencies: &Dependencies, connector: &ConnectorConfig) -> Vec<(String, String)> {
    let mut found: Vec<_> = try_service(dependencies, connector).await.into_iter().collect();
    found.extend(try_store(dependencies, connector).await);
    found
}

/// Writes a small object to the store of payloads, if there is one. Returns the setting that is wrong, and why.
async fn try_store(dependencies: &Dependencies, connector: &ConnectorConfig) -> Option<(String, String)> {
    let mut config = connector.payload.store.clone()?;
    // Why there is no client, `try_service` has said.
    let client = dependencies.client(connector).await.ok()?;
    config.region.get_or_insert_with(|| client.region().to_owned());
    let tried = async {
        let store = blocking(Part::Connector, move || PayloadStore::open(&config, Arc::new(client))).await;
        store.map_err(|error| error.to_string())?.check().await.map_err(|error| error.to_string())
    };
    let limit = STORE_TIMEOUT.as_secs();
    let tried = tokio::time::timeout(STORE_TIMEOUT, tried).await;
    let tried = tried.unwrap_or_else(|_| Err(format!("the store does not accept an object within {limit} s")));
    tried.err().map(|reason| (STORE_URL.name().to_owned(), reason))
}

/// Requests some of a connector's streams from the service, for a bounded time. Returns the setting that is wrong, and
/// why.
async fn try_service(dependencies: &Dependencies, connector: &ConnectorConfig) -> Option<(String, String)> {
    let tried = tokio::time::timeout(SERVICE_TIMEOUT, request_streams(dependencies, connector)).await;
    let no_answer =
        |_| Err((REGION.name(), format!("the service does not respond within {} s", SERVICE_TIMEOUT.as_secs())));
    tried.unwrap_or_else(no_answer).err().map(|(key, reason)| (key.to_owned(), reason))
}

/// # Errors
/// Returns the setting that is wrong, and why.
async fn request_streams(dependencies: &Dependencies, config: &ConnectorConfig) -> Result<(), (&'static str, String)> {
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
