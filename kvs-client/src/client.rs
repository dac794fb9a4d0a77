//! The operations of the service that a reader needs.

mod pages;
mod rows;
mod send;
mod unanswered;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kvs_api::Operation;
use kvs_mkv::{FragmentNumber, Timestamp};
use pages::Pages;
use reqwest::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::clock::{self, ServiceClock};
use crate::config::{ClientConfig, Place};
use crate::credentials::CredentialsCache;
use crate::endpoint::{EndpointCache, rules};
use crate::error::{Error, ErrorClass, Subject};
use crate::http_client;
use crate::observe::{CallObserver, LogCalls, Observer};
use crate::retry::RetryPolicy;
use crate::selector::StartSelector;
use crate::shown::shown;
use crate::stream_ref::StreamRef;
use crate::throttle::CallLimits;

/// Names asked for at once: fewer calls for many streams (docs/GETMEDIA.md).
const STREAMS_PAGE: u32 = 10_000;
/// Fragments asked for at once: the most there may be.
const FRAGMENTS_PAGE: u32 = 1_000;
/// Rows that a list may have.
const STREAMS_MAX: usize = 1_000_000;
const TAGS_MAX: usize = 1_000;
const FRAGMENTS_MAX: usize = 1_000_000;

/// Calls the service. Cheap to share, not to make: one a connector.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    place: Place,
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

/// What the service says of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StreamInfo {
    /// Name.
    #[serde(rename = "StreamName")]
    pub name: String,
    /// ARN.
    #[serde(rename = "StreamARN")]
    pub arn: String,
    /// CREATING, ACTIVE, UPDATING or DELETING.
    #[serde(default)]
    pub status: String,
}

/// An archived fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FragmentInfo {
    /// Its number.
    pub number: FragmentNumber,
    /// Its size in bytes, with its metadata.
    pub size_bytes: u64,
    /// When the service received it.
    pub server_timestamp: Timestamp,
    /// When the producer says it was made.
    pub producer_timestamp: Timestamp,
}

/// An answer with media whose body has not been read.
pub(crate) struct MediaResponse {
    pub(crate) response: Response,
    pub(crate) request_id: Option<String>,
    pub(crate) content_type: Option<String>,
    /// The service's time, by its Date header.
    pub(crate) date: Option<SystemTime>,
}

impl Client {
    /// A client, with what AWS's environment variables and profile say where the settings do not. Calls nobody.
    ///
    /// # Errors
    /// When there is no region, the endpoint cannot be used, or the HTTP client cannot be set up.
    pub async fn new(config: ClientConfig, limits: Arc<CallLimits>) -> Result<Self, Error> {
        let sdk = config.load().await;
        let place = config.place(&sdk)?;
        // Whether the region's own endpoint can be had is known now, not at the first call.
        place.control(&place.region)?;
        Ok(Self {
            http: http_client::build_off_runtime(&config.http).await?,
            credentials: CredentialsCache::new(&config.credentials, config.role.as_ref(), &place.region, &sdk).await,
            place,
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

    /// Tells `observer` of each call, instead of the log.
    #[must_use]
    pub fn with_observer(mut self, observer: Box<dyn CallObserver>) -> Self {
        self.observer = Observer(observer);
        self
    }

    /// The region that calls without an ARN go to.
    pub fn region(&self) -> &str {
        &self.place.region
    }

    /// Name, ARN and status of a stream.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn describe_stream(&self, stream: &StreamRef) -> Result<StreamInfo, Error> {
        let operation = Operation::DescribeStream;
        let (answer, request_id) = self.control(operation, Some(stream), json!({})).await?;
        rows::stream_info(&answer["StreamInfo"])
            .map_err(|reason| bad_answer(operation, Some(stream), format!("StreamInfo: {reason}"), request_id))
    }

    /// All streams whose names begin with `prefix`, in pages as large as may be.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn list_streams(&self, prefix: Option<&str>) -> Result<Vec<StreamInfo>, Error> {
        let operation = Operation::ListStreams;
        let mut request = json!({ "MaxResults": STREAMS_PAGE });
        if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
            request["StreamNameCondition"] = json!({ "ComparisonOperator": "BEGINS_WITH", "ComparisonValue": prefix });
        }
        let mut pages = Pages::new(operation, None, request, STREAMS_MAX);
        let mut streams = Vec::new();
        loop {
            let (answer, request_id) = pages.get(self).await?;
            let bad = |reason: String| pages.bad(format!("StreamInfoList: {reason}"), request_id.clone());
            let rows = answer["StreamInfoList"].as_array().ok_or_else(|| bad("it is no list".to_owned()))?;
            for row in rows {
                streams.push(rows::stream_info(row).map_err(bad)?);
            }
            if !pages.more(&answer, streams.len(), request_id)? {
                return Ok(streams);
            }
        }
    }

    /// The tags of a stream.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn list_tags(&self, stream: &StreamRef) -> Result<Vec<(String, String)>, Error> {
        let operation = Operation::ListTagsForStream;
        let mut pages = Pages::new(operation, Some(stream), json!({}), TAGS_MAX);
        let mut tags = Vec::new();
        loop {
            let (answer, request_id) = pages.get(self).await?;
            for (key, value) in answer["Tags"].as_object().into_iter().flatten() {
                let tag = rows::tag(key, value).map_err(|reason| pages.bad(reason, request_id.clone()))?;
                tags.push(tag);
            }
            if !pages.more(&answer, tags.len(), request_id)? {
                return Ok(tags);
            }
        }
    }

    /// The archived fragments that the service received within a time, both ends included, in the order of the stream.
    ///
    /// The service lists them in no order and may not know the latest second yet.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn list_fragments(
        &self,
        stream: &StreamRef,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<FragmentInfo>, Error> {
        let listed = self.list_fragments_up_to(stream, from, to, usize::MAX).await?;
        Ok(listed.unwrap_or_default())
    }

    /// The same, as long as there are no more than `most`; `None`: there are.
    pub(crate) async fn list_fragments_up_to(
        &self,
        stream: &StreamRef,
        from: Timestamp,
        to: Timestamp,
        most: usize,
    ) -> Result<Option<Vec<FragmentInfo>>, Error> {
        let operation = Operation::ListFragments;
        let seconds = |timestamp: Timestamp| timestamp.millis() as f64 / 1000.0;
        let request = json!({
            "MaxResults": FRAGMENTS_PAGE,
            "FragmentSelector": {
                "FragmentSelectorType": "SERVER_TIMESTAMP",
                "TimestampRange": { "StartTimestamp": seconds(from), "EndTimestamp": seconds(to) },
            },
        });
        let mut pages = Pages::new(operation, Some(stream), request, FRAGMENTS_MAX);
        let mut fragments = Vec::new();
        loop {
            let (answer, request_id) = pages.get(self).await?;
            for row in answer["Fragments"].as_array().into_iter().flatten() {
                fragments.push(rows::fragment_info(row).map_err(|reason| pages.bad(reason, request_id.clone()))?);
            }
            if fragments.len() > most {
                return Ok(None);
            }
            if !pages.more(&answer, fragments.len(), request_id)? {
                break;
            }
        }
        fragments.sort_by(|one, other| one.number.cmp(&other.number));
        fragments.dedup_by(|one, other| one.number == other.number);
        Ok(Some(fragments))
    }

    /// Begins a session of GetMedia, within the limits on calls.
    pub(crate) async fn get_media(&self, stream: &StreamRef, selector: &StartSelector) -> Result<MediaResponse, Error> {
        let request = json!({ "StartSelector": selector.to_json() });
        self.media(Operation::GetMedia, stream, request, Some(selector)).await
    }

    /// Begins a session of GetMediaForFragmentList, within the limits on calls.
    pub(crate) async fn get_media_for_fragment_list(
        &self,
        stream: &StreamRef,
        numbers: &[FragmentNumber],
    ) -> Result<MediaResponse, Error> {
        let numbers: Vec<&str> = numbers.iter().map(FragmentNumber::as_str).collect();
        self.media(Operation::GetMediaForFragmentList, stream, json!({ "Fragments": numbers }), None).await
    }

    /// What an error says should be got anew is got anew by the next call.
    pub(crate) async fn refresh_after(&self, stream: &StreamRef, class: ErrorClass) {
        match class {
            ErrorClass::RefreshEndpoint => self.endpoints.invalidate(stream).await,
            ErrorClass::RefreshCredentials => self.credentials.invalidate().await,
            _ => {}
        }
    }

    /// Asks where a stream's media is to be got: whether the service can be reached and lets this stream be read.
    ///
    /// # Errors
    /// When it cannot be, or does not.
    pub async fn try_stream(&self, stream: &StreamRef) -> Result<(), Error> {
        self.data_endpoint(stream, Operation::GetMedia).await.map(|_| ())
    }

    /// Forgets what was kept for a stream that is no more.
    pub async fn forget(&self, stream: &StreamRef) {
        self.endpoints.invalidate(stream).await;
        self.limits.forget_idle();
    }

    /// Returns host and port of the stream's data endpoint, if it is known.
    pub(crate) async fn data_server(&self, stream: &StreamRef, operation: Operation) -> Option<String> {
        self.endpoints.get(stream, operation).await.map(|url| unanswered::server(&url))
    }

    async fn data_endpoint(&self, stream: &StreamRef, operation: Operation) -> Result<Url, Error> {
        if let Some(known) = self.endpoints.get(stream, operation).await {
            return Ok(known);
        }
        let asking = Operation::GetDataEndpoint;
        let request = json!({ "APIName": operation.endpoint_name() });
        let (answer, request_id) = self.control(asking, Some(stream), request).await?;
        let text = answer["DataEndpoint"].as_str().unwrap_or_default();
        // Plain http is for those who have asked for it, whatever the answer says.
        let url = rules::parse(text, self.place.plain_http)
            .map_err(|reason| bad_answer(asking, Some(stream), format!("DataEndpoint: {reason}"), request_id))?;
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

fn bad_answer(operation: Operation, stream: Option<&StreamRef>, reason: String, request_id: Option<String>) -> Error {
    Error::BadAnswer { subject: Subject::new(operation, stream), reason, request_id }
}
