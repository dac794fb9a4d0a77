//! Signed calls.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use reqwest::Response;
use serde_json::{Value, json};
use url::Url;

use crate::credentials::{CredentialsCache, CredentialsSource, with_causes};
use crate::endpoint::EndpointCache;
use crate::error::{Error, ServiceError};
use crate::selector::StartSelector;
use crate::stream_ref::StreamRef;
use crate::throttle::CallLimits;

/// The name that requests are signed for.
const SIGNING_NAME: &str = "kinesisvideo";
/// How much of an error's body is read.
const ERROR_BODY_MAX_BYTES: usize = 64 << 10;
/// How long a call may take that is no stream of media.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// How to reach the service.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Region, `us-east-1`.
    pub region: String,
    /// Control plane instead of the region's, `http://127.0.0.1:9100`.
    pub endpoint: Option<String>,
    /// Where credentials come from.
    pub credentials: CredentialsSource,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// Without a byte for so long a session is given up.
    pub inactivity_timeout: Duration,
}

impl ClientConfig {
    /// Defaults for a region.
    pub fn new(region: &str) -> Self {
        Self {
            region: region.to_owned(),
            endpoint: None,
            credentials: CredentialsSource::default(),
            connect_timeout: Duration::from_secs(5),
            inactivity_timeout: Duration::from_secs(120),
        }
    }
}

/// Calls the service. Cheap to share, not to make: one a connector.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    region: String,
    control: Url,
    credentials: CredentialsCache,
    endpoints: EndpointCache,
    limits: Arc<CallLimits>,
    pub(crate) inactivity_timeout: Duration,
}

/// What DescribeStream says of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: String,
}

/// An answer of GetMedia whose body has not been read.
pub(crate) struct MediaResponse {
    pub(crate) response: Response,
    pub(crate) request_id: Option<String>,
    pub(crate) content_type: Option<String>,
    /// The service's time, by its Date header.
    pub(crate) date: Option<SystemTime>,
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// When the endpoint is no URL, or the TLS library cannot be set up.
    pub fn new(config: ClientConfig, limits: Arc<CallLimits>) -> Result<Self, Error> {
        let config_error = |reason: String| Error::Config { reason };
        let suffix = if config.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let control =
            config.endpoint.clone().unwrap_or_else(|| format!("https://kinesisvideo.{}.{suffix}", config.region));
        let control =
            parse_endpoint(&control).ok_or_else(|| config_error(format!("{control:?} is no http or https URL")))?;
        let http = reqwest::Client::builder()
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(config.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("kvs-connect/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| config_error(format!("the HTTP client cannot be made: {}", with_causes(&error))))?;
        Ok(Self {
            http,
            credentials: CredentialsCache::new(config.credentials, config.region.clone()),
            region: config.region,
            control,
            endpoints: EndpointCache::default(),
            limits,
            inactivity_timeout: config.inactivity_timeout,
        })
    }

    /// Name and ARN of a stream.
    ///
    /// # Errors
    /// As the service refuses.
    pub async fn describe_stream(&self, stream: &StreamRef) -> Result<StreamInfo, Error> {
        const API: &str = "DescribeStream";
        let (member, value) = stream.member();
        let answer = self.call_json(API, stream, "/describeStream", &json!({ member: value })).await?;
        let text = |name: &str| answer.0["StreamInfo"][name].as_str().map(str::to_owned);
        match (text("StreamName"), text("StreamARN")) {
            (Some(name), Some(arn)) => Ok(StreamInfo { name, arn }),
            _ => Err(Error::BadAnswer {
                api: API,
                stream: stream.clone(),
                reason: "StreamInfo has no StreamName or no StreamARN".to_owned(),
                request_id: answer.1,
            }),
        }
    }

    /// Begins a session of GetMedia, within the limits on calls.
    pub(crate) async fn get_media(&self, stream: &StreamRef, selector: &StartSelector) -> Result<MediaResponse, Error> {
        let endpoint = self.data_endpoint(stream).await?;
        self.limits.get_media(stream).await;
        let (member, value) = stream.member();
        let body = json!({ member: value, "StartSelector": selector.to_json() });
        let url = endpoint.join("/getMedia").map_err(|error| Error::Config { reason: error.to_string() })?;
        let response = self.send("GetMedia", stream, url, &body, Some(selector)).await?;
        let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        Ok(MediaResponse {
            request_id: request_id(&response),
            content_type: header("content-type"),
            date: header("date").and_then(|date| parse_http_date(&date)),
            response,
        })
    }

    /// What an error says should be got anew is got anew by the next call.
    pub(crate) async fn refresh_after(&self, stream: &StreamRef, class: crate::ErrorClass) {
        match class {
            crate::ErrorClass::RefreshEndpoint => self.endpoints.invalidate(stream).await,
            crate::ErrorClass::RefreshCredentials => self.credentials.invalidate().await,
            _ => {}
        }
    }

    async fn data_endpoint(&self, stream: &StreamRef) -> Result<Url, Error> {
        const API: &str = "GetDataEndpoint";
        if let Some(known) = self.endpoints.get(stream).await {
            return Ok(known);
        }
        self.limits.get_data_endpoint(stream).await;
        let (member, value) = stream.member();
        let body = json!({ member: value, "APIName": "GET_MEDIA" });
        let (answer, request_id) = self.call_json(API, stream, "/getDataEndpoint", &body).await?;
        let text = answer["DataEndpoint"].as_str().unwrap_or_default();
        let bad = |reason: String| Error::BadAnswer { api: API, stream: stream.clone(), reason, request_id };
        let url = parse_endpoint(text).ok_or_else(|| bad.clone()(format!("DataEndpoint {text:?} is no URL")))?;
        if url.scheme() == "http" && self.control.scheme() == "https" {
            return Err(bad(format!("DataEndpoint {text:?} is not https")));
        }
        self.endpoints.put(stream, url.clone()).await;
        Ok(url)
    }

    async fn call_json(
        &self,
        api: &'static str,
        stream: &StreamRef,
        path: &str,
        body: &Value,
    ) -> Result<(Value, Option<String>), Error> {
        let url = self.control.join(path).map_err(|error| Error::Config { reason: error.to_string() })?;
        let timed_out = || Error::Transport {
            api,
            stream: stream.clone(),
            reason: format!("no answer within {} s", CALL_TIMEOUT.as_secs()),
            connecting: false,
            request_id: None,
        };
        let call = async {
            let response = self.send(api, stream, url, body, None).await?;
            let request_id = request_id(&response);
            let bytes = read_bounded(response).await;
            let value = serde_json::from_slice(&bytes).map_err(|error| Error::BadAnswer {
                api,
                stream: stream.clone(),
                reason: error.to_string(),
                request_id: request_id.clone(),
            })?;
            Ok((value, request_id))
        };
        tokio::time::timeout(CALL_TIMEOUT, call).await.map_err(|_| timed_out())?
    }

    async fn send(
        &self,
        api: &'static str,
        stream: &StreamRef,
        url: Url,
        body: &Value,
        selector: Option<&StartSelector>,
    ) -> Result<Response, Error> {
        let credentials = self.credentials.get().await.map_err(|reason| Error::Credentials { reason })?;
        let body = body.to_string();
        let request = self
            .signed(&url, body, &credentials)
            .map_err(|reason| Error::Config { reason: format!("the request cannot be signed: {reason}") })?;
        let response = self.http.execute(request).await.map_err(|error| Error::Transport {
            api,
            stream: stream.clone(),
            reason: with_causes(&error.without_url()),
            connecting: true,
            request_id: None,
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(Error::Service(Box::new(refusal(api, stream, response, selector).await)))
    }

    fn signed(&self, url: &Url, body: String, credentials: &Credentials) -> Result<reqwest::Request, String> {
        const CONTENT_TYPE: (&str, &str) = ("content-type", "application/json");
        let identity = credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(SIGNING_NAME)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| error.to_string())?
            .into();
        let signable = SignableRequest::new(
            "POST",
            url.as_str(),
            std::iter::once(CONTENT_TYPE),
            SignableBody::Bytes(body.as_bytes()),
        )
        .map_err(|error| with_causes(&error))?;
        let (instructions, _) = sign(signable, &params).map_err(|error| with_causes(&error))?.into_parts();
        let mut request = http::Request::post(url.as_str())
            .header(CONTENT_TYPE.0, CONTENT_TYPE.1)
            .body(body)
            .map_err(|error| error.to_string())?;
        instructions.apply_to_request_http1x(&mut request);
        request.try_into().map_err(|error: reqwest::Error| error.to_string())
    }
}

fn parse_endpoint(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.host().is_some()).then_some(url)
}

/// Both spellings: the documentation has one, AWS's SDKs read the other.
fn request_id(response: &Response) -> Option<String> {
    either_header(response, ["x-amzn-requestid", "x-amz-requestid"])
}

fn either_header(response: &Response, names: [&str; 2]) -> Option<String> {
    let value = names.iter().find_map(|name| response.headers().get(*name))?;
    value.to_str().ok().map(str::to_owned)
}

async fn refusal(
    api: &'static str,
    stream: &StreamRef,
    response: Response,
    selector: Option<&StartSelector>,
) -> ServiceError {
    let status = response.status().as_u16();
    let request_id = request_id(&response);
    let header_type = either_header(&response, ["x-amzn-errortype", "x-amz-errortype"]);
    let body = read_bounded(response).await;
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |names: [&str; 2]| names.iter().find_map(|name| value[*name].as_str()).map(str::to_owned);
    let error_type = header_type.or_else(|| text(["__type", "code"])).unwrap_or_default();
    // `com.amazon…#Name` and `Name:http://…` both occur.
    let error_type = error_type.rsplit('#').next().unwrap_or_default();
    let error_type = error_type.split(':').next().unwrap_or_default().trim().to_owned();
    let message = text(["message", "Message"])
        .unwrap_or_else(|| String::from_utf8_lossy(&body).chars().take(300).collect::<String>());
    ServiceError { api, stream: stream.clone(), status, error_type, message, request_id, selector: selector.cloned() }
}

/// The body as far as it is read at all; what cannot be read is left out, for the status says enough.
async fn read_bounded(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(piece)) = response.chunk().await {
            let room = ERROR_BODY_MAX_BYTES - body.len();
            body.extend_from_slice(&piece[..piece.len().min(room)]);
            if body.len() >= ERROR_BODY_MAX_BYTES {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(CALL_TIMEOUT, read).await;
    body
}

/// `Tue, 24 Nov 2026 06:24:01 GMT`.
fn parse_http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts: Vec<&str> = text.split_whitespace().collect();
    let &[_, day, month, year, time, "GMT"] = &parts[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}
