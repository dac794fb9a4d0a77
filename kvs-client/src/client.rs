//! The operations of the service that a reader needs.

#[cfg(feature = "archive")]
mod archive;
mod pages;
mod rows;
mod send;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kvs_api::Operation;
use pages::Pages;
use reqwest::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::clock::{self, ServiceClock};
use crate::config::ClientConfig;
use crate::credentials::CredentialsCache;
use crate::endpoint::location::Location;
use crate::endpoint::{EndpointCache, rules};
use crate::error::{AnswerError, Error, ErrorClass, Subject};
use crate::http_client;
use crate::observe::{CallObserver, LogCalls, Observer};
use crate::retry::RetryPolicy;
use crate::selector::StartSelector;
use crate::shown::shown;
use crate::stream_ref::StreamRef;
use crate::throttle::CallLimits;

#[cfg(feature = "archive")]
pub use archive::FragmentInfo;

/// How many streams are asked for with one call: as many as the service allows, for calls are limited.
const STREAMS_PAGE: u32 = 10_000;
/// The most rows that a list of streams, or of a stream's tags, may have.
const STREAMS_MAX: usize = 1_000_000;
const TAGS_MAX: usize = 1_000;

/// Calls the service.
///
/// A client is cheap to share and not to make: it reads AWS's configuration, keeps connections, credentials and data
/// endpoints, and learns the service's clock. Make one for each set of credentials, and share the [`CallLimits`] among
/// all clients of an account.
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

/// What the service says about a stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct StreamInfo {
    /// The stream's name.
    #[serde(rename = "StreamName")]
    pub name: String,
    /// Its ARN, which differs from that of an earlier stream with the same name.
    #[serde(rename = "StreamARN")]
    pub arn: String,
    /// Its status: CREATING, ACTIVE, UPDATING or DELETING.
    #[serde(default)]
    pub status: String,
}

/// A response with media whose body has not been read.
pub(crate) struct MediaResponse {
    pub(crate) response: Response,
    pub(crate) request_id: Option<String>,
    pub(crate) content_type: Option<String>,
    /// The service's time when the response began, by its Date header.
    pub(crate) date: Option<SystemTime>,
}

impl Client {
    /// Returns a client, after reading what AWS's environment variables and profile say where `config` says nothing. No
    /// call is made.
    ///
    /// # Errors
    /// [`Error::Config`] when there is no region, the endpoint cannot be used, or the HTTP client cannot be made.
    pub async fn new(config: ClientConfig, limits: Arc<CallLimits>) -> Result<Self, Error> {
        let sdk = config.load().await;
        let location = config.location(&sdk)?;
        // A region that makes no valid URL is told now, not at the first call.
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

    /// Returns the region of streams that are not given by ARN.
    pub fn region(&self) -> &str {
        &self.location.region
    }

    /// Returns name, ARN and status of a stream.
    ///
    /// # Errors
    /// [`Error::Service`] when the service refuses, [`Error::Transport`] when it cannot be reached.
    pub async fn describe_stream(&self, stream: &StreamRef) -> Result<StreamInfo, Error> {
        let operation = Operation::DescribeStream;
        let (answer, request_id) = self.control(operation, Some(stream), json!({})).await?;
        rows::stream_info(&answer["StreamInfo"], "StreamInfo")
            .map_err(|error| bad_answer(operation, Some(stream), error, request_id))
    }

    /// Returns all streams whose names begin with `prefix`, or all of the account in this region.
    ///
    /// # Errors
    /// [`Error::Service`] when the service refuses, [`Error::Transport`] when it cannot be reached.
    pub async fn list_streams(&self, prefix: Option<&str>) -> Result<Vec<StreamInfo>, Error> {
        const LIST: &str = "StreamInfoList";
        let operation = Operation::ListStreams;
        let mut request = json!({ "MaxResults": STREAMS_PAGE });
        if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
            request["StreamNameCondition"] = json!({ "ComparisonOperator": "BEGINS_WITH", "ComparisonValue": prefix });
        }
        let mut pages = Pages::new(operation, None, request, STREAMS_MAX);
        let mut streams = Vec::new();
        loop {
            let (answer, request_id) = pages.get(self).await?;
            let bad = |error: AnswerError| pages.bad(error, request_id.clone());
            let rows = answer[LIST].as_array().ok_or_else(|| bad(AnswerError::NotAList { member: LIST }))?;
            for row in rows {
                streams.push(rows::stream_info(row, LIST).map_err(bad)?);
            }
            if !pages.more(&answer, streams.len(), request_id)? {
                return Ok(streams);
            }
        }
    }

    /// Returns the tags of a stream: keys and values.
    ///
    /// # Errors
    /// [`Error::Service`] when the service refuses, [`Error::Transport`] when it cannot be reached.
    pub async fn list_tags(&self, stream: &StreamRef) -> Result<Vec<(String, String)>, Error> {
        let operation = Operation::ListTagsForStream;
        let mut pages = Pages::new(operation, Some(stream), json!({}), TAGS_MAX);
        let mut tags = Vec::new();
        loop {
            let (answer, request_id) = pages.get(self).await?;
            for (key, value) in answer["Tags"].as_object().into_iter().flatten() {
                let tag = rows::tag(key, value).map_err(|error| pages.bad(error, request_id.clone()))?;
                tags.push(tag);
            }
            if !pages.more(&answer, tags.len(), request_id)? {
                return Ok(tags);
            }
        }
    }

    /// Opens a session of GetMedia, within the limits on calls.
    pub(crate) async fn get_media(&self, stream: &StreamRef, selector: &StartSelector) -> Result<MediaResponse, Error> {
        let request = json!({ "StartSelector": selector.to_json() });
        self.media(Operation::GetMedia, stream, request, Some(selector)).await
    }

    /// Forgets what an error of this class proves stale, so that the next call asks for it again.
    pub(crate) async fn refresh_after(&self, stream: &StreamRef, class: ErrorClass) {
        match class {
            ErrorClass::RefreshEndpoint => self.endpoints.invalidate(stream).await,
            ErrorClass::RefreshCredentials => self.credentials.invalidate().await,
            _ => {}
        }
    }

    /// Asks for the stream's data endpoint: succeeds if the service can be reached and lets this stream be read.
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

    /// Returns host and port of the stream's data endpoint, if it is known.
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
        // An answer does not turn on plain http: the settings do.
        let url = rules::parse(text, self.location.plain_http)
            .map_err(|error| bad_answer(asking, Some(stream), AnswerError::Endpoint(error), request_id))?;
        self.endpoints.put(stream, operation, url.clone()).await;
        Ok(url)
    }

    async fn media(
        &self,
        operation: Operation,
        stream: &StreamRef,
        request: Value,
        selector: Option<&StartSelector>,
    ) -> Result<MediaResponse, Error> {
        let endpoint = self.data_endpoint(stream, operation).await?;
        let response = self.open(operation, stream, &endpoint, request, selector).await?;
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(shown);
        Ok(MediaResponse {
            request_id: send::request_id(&response),
            content_type: header("content-type"),
            date: header("date")
                .and_then(|date| httpdate::parse_http_date(&date).ok())
                .filter(|date| clock::is_believed(*date)),
            response,
        })
    }
}

fn bad_answer(
    operation: Operation,
    stream: Option<&StreamRef>,
    error: AnswerError,
    request_id: Option<String>,
) -> Error {
    Error::BadAnswer { subject: Subject::new(operation, stream), error: Box::new(error), request_id }
}
