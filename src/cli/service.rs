//! Calls to the service, and to the store of payloads, from commands that somebody waits for.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_client::{CallLimits, Client, PullerConfig, RetryPolicy};
use tokio::runtime::Runtime;

use super::failure::{EXIT_UNAVAILABLE, Failure};
use super::output;
use crate::config::ConnectorConfig;
use crate::config::service_errors::explain;
use crate::payload_store::{PayloadStore, StoreError};

/// How often a call is made until the command gives up.
const ATTEMPTS_MAX: u32 = 8;
/// How long to wait after an error that somebody has to resolve: nobody may be there.
const SLOW_DELAY: Duration = Duration::from_secs(1);
/// A wait before another attempt that is shorter than this is not said: it is over at once.
pub(super) const SAID_FROM: Duration = Duration::from_secs(1);

/// A wait for the service that is longer than this is said, and again each time as much has passed.
const SAID_EVERY: Duration = Duration::from_secs(20);

/// Waits for a part of a stream's archive, and says it when nothing comes.
pub(super) async fn patiently<T>(stream: &str, next: impl Future<Output = T>) -> T {
    let (mut next, began) = (pin!(next), Instant::now());
    loop {
        match tokio::time::timeout(SAID_EVERY, next.as_mut()).await {
            Ok(next) => return next,
            Err(_) => output::say(format_args!(
                "kvs-connect: nothing has come from the archive of stream {} for {} s; waiting",
                output::plain(stream, 256),
                began.elapsed().as_secs()
            )),
        }
    }
}

/// Returns a runtime for a command's calls.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Failure::new(EXIT_UNAVAILABLE, format!("no runtime: {error}")))
}

/// Returns a client of the service with a connector's settings.
pub(super) fn client(runtime: &Runtime, connector: &ConnectorConfig) -> Result<Arc<Client>, Failure> {
    let client = runtime.block_on(Client::new(connector.client.clone(), Arc::new(CallLimits::default())));
    client.map(Arc::new).map_err(|error| unavailable(&error))
}

/// Returns the failure of a command whose call the service refuses, or that cannot reach it.
pub(super) fn unavailable(error: &kvs_client::Error) -> Failure {
    Failure::new(EXIT_UNAVAILABLE, explain(error))
}

/// Opens the store of a connector's payloads, if it has one.
///
/// # Errors
/// When a setting of the store cannot be used.
pub(super) fn store(connector: &ConnectorConfig, client: &Arc<Client>) -> Result<Option<PayloadStore>, StoreError> {
    let Some(mut config) = connector.payload.store.clone() else { return Ok(None) };
    // As far as the settings do not say it, the region is where the client has it from.
    config.region.get_or_insert_with(|| client.region().to_owned());
    PayloadStore::open(&config, Arc::<Client>::clone(client)).map(Some)
}

/// Returns how often calls are made again.
pub(super) fn retry() -> RetryPolicy {
    RetryPolicy::default().with_attempts_max(ATTEMPTS_MAX)
}

/// Returns how an archive is pulled.
pub(super) fn puller() -> PullerConfig {
    let mut config = PullerConfig::default();
    (config.retry, config.slow_retry_delay) = (retry(), SLOW_DELAY);
    config
}
