//! The client of the service; the operations that a reader needs are in the submodules.

#[cfg(feature = "archive")]
mod archive;
mod media;
mod pages;
mod rows;
mod send;
mod streams;

use std::sync::Arc;
use std::time::Duration;

use kvs_api::Operation;
use serde_json::json;
use url::Url;

use crate::clock::ServiceClock;
use crate::config::ClientConfig;
use crate::credentials::CredentialsCache;
use crate::endpoint::location::Location;
use crate::endpoint::{EndpointCache, rules};
use crate::error::{AnswerError, CredentialsError, Error, ErrorClass};
use crate::http_client;
use crate::observe::{CallObserver, LogCalls, Observer};
use crate::retry::RetryPolicy;
use crate::stream_ref::StreamRef;
use crate::throttle::CallLimits;

pub(crate) use media::MediaResponse;
#[cfg(feature = "archive")]
pub use rows::FragmentInfo;
pub use rows::StreamInfo;

/// Calls the service.
///
/// A client is cheap to share, but not to create: it reads AWS's configuration, keeps connections, credentials and data
/// endpoints, and measures the service's clock. Create one for each set of credentials, and share the [`CallLimits`]
/// among all clients of an account.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    location: Location,
    credentials: CredentialsCache,
    endpoints: EndpointCache,
    limits: Arc<CallLimits>,
    clock: ServiceClock,
    retry: RetryPolicy,
    parameter_checks: bool,
    observer: Observer,
    pub(crate) inactivity_timeout: Duration,
    pub(crate) fragment_timeout: Duration,
}

impl Client {
    /// Creates a client. Settings that `config` leaves unset come from AWS's environment variables and profile. Makes
    /// no call.
    ///
    /// # Errors
    /// [`Error::Config`] when there is no region, the endpoint cannot be used, or the HTTP client cannot be created.
    pub async fn new(config: ClientConfig, limits: Arc<CallLimits>) -> Result<Self, Error> {
        let sdk = config.load().await;
        let location = config.location(&sdk)?;
        // A region that makes no valid URL is reported now, not at the first call.
        location.control(&location.region)?;
        Ok(Self {
            http: http_client::build_off_runtime(&config.http).await?,
            credentials: CredentialsCache::new(&config.credentials, config.role.as_ref(), &location.region, &sdk).await,
            location,
            endpoints: EndpointCache::default(),
            limits,
            clock: ServiceClock::new(config.clock_offset_ms),
            retry: config.retry,
            parameter_checks: config.parameter_checks,
            observer: Observer(Box::new(LogCalls)),
            inactivity_timeout: config.http.inactivity_timeout,
            fragment_timeout: config.http.fragment_timeout,
        })
    }

    /// Reports each call to `observer` instead of the log.
    #[must_use]
    pub fn with_observer(mut self, observer: Box<dyn CallObserver>) -> Self {
        self.observer = Observer(observer);
        self
    }

    /// Returns the region of streams that are not identified by ARN.
    pub fn region(&self) -> &str {
        &self.location.region
    }

    /// Returns the AWS credentials that calls are signed with, for other services of AWS. They do not expire within a minute.
    ///
    /// # Errors
    /// When there are none, with the reason of the last provider in the chain.
    pub async fn aws_credentials(&self) -> Result<aws_credential_types::Credentials, CredentialsError> {
        self.credentials.get().await
    }

    /// Forgets the AWS credentials, which a service refused, so that they are fetched again.
    pub async fn forget_aws_credentials(&self) {
        self.credentials.invalidate().await;
    }

    /// Forgets what an error of this class shows to be stale, so that the next call requests it again.
    pub(crate) async fn refresh_after(&self, stream: &StreamRef, class: ErrorClass) {
        match class {
            ErrorClass::RefreshEndpoint => self.endpoints.invalidate(stream).await,
            ErrorClass::RefreshCredentials => self.credentials.invalidate().await,
            _ => {}
        }
    }

    /// Requests the stream's data endpoint, to check that the service can be reached and allows reading the stream.
    ///
    /// # Errors
    /// [`Error::Service`] when the service refuses, [`Error::Transport`] when it cannot be reached.
    pub async fn try_stream(&self, stream: &StreamRef) -> Result<(), Error> {
        self.data_endpoint(stream, Operation::GetMedia).await.map(|_| ())
    }

    /// Forgets what is kept for a stream that no longer exists.
    pub async fn forget(&self, stream: &StreamRef) {
        self.endpoints.invalidate(stream).await;
        self.limits.forget_idle();
    }

    /// Returns the host and port of the stream's data endpoint, if it is known.
    pub(crate) async fn data_server(&self, stream: &StreamRef, operation: Operation) -> Option<String> {
        self.endpoints.get(stream, operation).await.map(|url| rules::server(&url))
    }

    async fn data_endpoint(&self, stream: &StreamRef, operation: Operation) -> Result<Url, Error> {
        if let Some(known) = self.endpoints.get(stream, operation).await {
            return Ok(known);
        }
        let asking = Operation::GetDataEndpoint;
        let request = json!({ "APIName": operation.endpoint_name() });
        let (answer, request_id) = self.control(asking, Some(stream), request).await?;
        let text = answer["DataEndpoint"].as_str().unwrap_or_default();
        // Only the settings allow plain http, not a response.
        let url = rules::parse(text, self.location.plain_http)
            .map_err(|error| Error::bad_answer(asking, Some(stream), AnswerError::Endpoint(error), request_id))?;
        self.endpoints.put(stream, operation, url.clone()).await;
        Ok(url)
    }
}
