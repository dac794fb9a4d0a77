//! Makes calls: checks, throttles, signs and sends each request, retries it where that helps, and reports the result.

use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use kvs_api::Operation;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use url::Url;

use super::Client;
use crate::clock;
use crate::endpoint::rules;
use crate::error::{AnswerError, BoxError, ConfigError, Error, ErrorClass, ServiceError, Subject, TransportError};
use crate::observe::CallReport;
use crate::retry::{Backoff, RetryPolicy};
use crate::selector::StartSelector;
use crate::shown::{shown, shown_bytes};
use crate::stream_ref::StreamRef;

/// The service's name in signatures.
const SIGNING_NAME: &str = "kinesisvideo";
const CONTENT_TYPE: (&str, &str) = ("content-type", "application/json");
/// The maximum size of an error's body; the rest is not read.
const ERROR_BODY_MAX_BYTES: usize = 64 << 10;
/// The maximum size of a response: a page of 10,000 streams has 6 MB.
const ANSWER_MAX_BYTES: usize = 32 << 20;
/// The timeout of a single request with a JSON response.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a call is retried before its failure is returned, so that the caller can report it and call again. Together
/// with the timeout above, a service that does not respond is reported within half a minute.
const AGAIN_WITHIN: Duration = Duration::from_secs(10);
/// The number of attempts if the policy sets none.
const CALL_ATTEMPTS: u32 = 5;

/// A request without its date and signature.
struct Outgoing<'a> {
    subject: Subject,
    url: Url,
    region: String,
    body: String,
    selector: Option<&'a StartSelector>,
}

/// What is reported to a call's observer besides its result.
struct Outcome {
    attempts: u32,
    began: Instant,
}

impl Client {
    /// Makes a call of the control plane whose response is JSON, and returns the response with its request id.
    pub(super) async fn control(
        &self,
        operation: Operation,
        stream: Option<&StreamRef>,
        request: Value,
    ) -> Result<(Value, Option<String>), Error> {
        let region = self.location.region_of(stream)?;
        let endpoint = self.location.control(&region)?;
        let outgoing = self.prepare(operation, stream, &endpoint, request, None)?;
        self.call_json(&outgoing).await
    }

    /// Makes a call of the data plane whose response is JSON, and returns the response with its request id.
    pub(super) async fn data(
        &self,
        operation: Operation,
        stream: &StreamRef,
        request: Value,
    ) -> Result<(Value, Option<String>), Error> {
        let endpoint = self.data_endpoint(stream, operation).await?;
        let outgoing = self.prepare(operation, Some(stream), &endpoint, request.clone(), None)?;
        let first = self.call_json(&outgoing).await;
        match first {
            // The data endpoint may be stale. It is requested again once, because the stream may really be gone.
            Err(error) if error.class() == ErrorClass::RefreshEndpoint => {
                self.endpoints.invalidate(stream).await;
                let endpoint = self.data_endpoint(stream, operation).await?;
                let outgoing = self.prepare(operation, Some(stream), &endpoint, request, None)?;
                self.call_json(&outgoing).await
            }
            other => other,
        }
    }

    /// Makes a call whose response is media. It is sent once, because only its reader knows the position to continue
    /// from.
    pub(super) async fn open(
        &self,
        operation: Operation,
        stream: &StreamRef,
        endpoint: &Url,
        request: Value,
        selector: Option<&StartSelector>,
    ) -> Result<Response, Error> {
        let outgoing = self.prepare(operation, Some(stream), endpoint, request, selector)?;
        self.limits.wait(operation, Some(stream)).await;
        let outcome = Outcome { attempts: 1, began: Instant::now() };
        let result = self.send(&outgoing).await;
        let request_id = match &result {
            Ok(response) => request_id(response),
            Err(error) => error.request_id().map(str::to_owned),
        };
        self.report(&outgoing, &outcome, result.as_ref().err(), request_id.as_deref());
        result
    }

    fn prepare<'a>(
        &self,
        operation: Operation,
        stream: Option<&StreamRef>,
        endpoint: &Url,
        mut request: Value,
        selector: Option<&'a StartSelector>,
    ) -> Result<Outgoing<'a>, Error> {
        let subject = Subject::new(operation, stream);
        if let Some(stream) = stream {
            let (member, value) = stream.member(operation);
            request[member] = value.into();
        }
        if self.parameter_checks {
            let violations = operation.check(&request);
            if !violations.is_empty() {
                return Err(Error::Parameters { subject, violations });
            }
        }
        let url = endpoint.join(operation.path()).map_err(|error| ConfigError::Path { source: Box::new(error) })?;
        let region = self.location.region_of(stream)?;
        Ok(Outgoing { subject, url, region, body: request.to_string(), selector })
    }

    /// Sends a request until there is a response, another attempt would not help, or [`AGAIN_WITHIN`] is over.
    async fn call_json(&self, outgoing: &Outgoing<'_>) -> Result<(Value, Option<String>), Error> {
        let attempts_max = if self.retry.attempts_max == 0 { CALL_ATTEMPTS } else { self.retry.attempts_max };
        let mut backoff = Backoff::new(RetryPolicy { attempts_max, ..self.retry });
        let mut outcome = Outcome { attempts: 0, began: Instant::now() };
        loop {
            self.limits.wait(outgoing.subject.operation, outgoing.subject.stream.as_ref()).await;
            outcome.attempts += 1;
            let error = match self.call_once(outgoing).await {
                Ok((answer, request_id)) => {
                    self.report(outgoing, &outcome, None, request_id.as_deref());
                    return Ok((answer, request_id));
                }
                Err(error) => error,
            };
            let again = match error.class() {
                ErrorClass::Retry => true,
                // The caller requests a new data endpoint if one cannot be reached.
                ErrorClass::RefreshEndpoint => outgoing.subject.operation.endpoint_name().is_none(),
                ErrorClass::RefreshCredentials => {
                    self.credentials.invalidate().await;
                    outcome.attempts <= 2
                }
                _ => false,
            };
            let delay = backoff.next_delay();
            let quick = outcome.began.elapsed().saturating_add(delay) < AGAIN_WITHIN;
            if !again || !quick || backoff.exhausted() {
                self.report(outgoing, &outcome, Some(&error), error.request_id());
                return Err(error);
            }
            tracing::debug!(%error, delay_ms = delay.as_millis() as u64, "trying again");
            tokio::time::sleep(delay).await;
        }
    }

    async fn call_once(&self, outgoing: &Outgoing<'_>) -> Result<(Value, Option<String>), Error> {
        let Subject { operation, stream } = &outgoing.subject;
        let call = async {
            let response = self.send(outgoing).await?;
            let request_id = request_id(&response);
            let bad = |error: AnswerError| Error::bad_answer(*operation, stream.as_ref(), error, request_id.clone());
            let bytes = read_bounded(response, ANSWER_MAX_BYTES).await;
            if bytes.len() >= ANSWER_MAX_BYTES {
                return Err(bad(AnswerError::TooLarge { size_max_bytes: ANSWER_MAX_BYTES }));
            }
            let answer: Value =
                serde_json::from_slice(&bytes).map_err(|source| bad(AnswerError::NotJson { source }))?;
            Ok((answer, request_id))
        };
        tokio::time::timeout(CALL_TIMEOUT, call).await.map_err(|_| {
            let server = Some(rules::server(&outgoing.url));
            outgoing.unanswered(TransportError::TimedOut { server, timeout: CALL_TIMEOUT })
        })?
    }

    /// Sends a request once, and once more when the service refuses its time and reports its own.
    async fn send(&self, outgoing: &Outgoing<'_>) -> Result<Response, Error> {
        match self.send_once(outgoing).await {
            Err((Error::Service(error), Some(date))) if error.is_about_time() && self.clock.learn(date) => {
                self.send_once(outgoing).await.map_err(|(error, _)| error)
            }
            other => other.map_err(|(error, _)| error),
        }
    }

    /// Sends a request once. An error includes the service's date, if there was one.
    async fn send_once(&self, outgoing: &Outgoing<'_>) -> Result<Response, (Error, Option<SystemTime>)> {
        let without_date = |error: Error| (error, None);
        let credentials = self.credentials.get().await;
        let credentials = credentials.map_err(|error| without_date(Error::Credentials(Box::new(error))))?;
        let request = signed(outgoing, &credentials, self.clock.now());
        let request = request.map_err(|error| without_date(error.into()))?;
        let response = self.http.execute(request).await.map_err(|error| {
            let (server, is_tls) = (rules::server(&outgoing.url), outgoing.url.scheme() == "https");
            without_date(outgoing.unanswered(TransportError::no_answer(server, is_tls, error)))
        })?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let date = response.headers().get("date").and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let refusal = refusal(outgoing, response).await;
        Err((Error::Service(Box::new(refusal)), date))
    }

    fn report(&self, outgoing: &Outgoing<'_>, outcome: &Outcome, error: Option<&Error>, request_id: Option<&str>) {
        self.observer.0.called(&CallReport {
            operation: outgoing.subject.operation,
            stream: outgoing.subject.stream.as_ref(),
            duration: outcome.began.elapsed(),
            attempts: outcome.attempts,
            outcome: error.map_or("ok", Error::code),
            status: error.map_or(Some(200), Error::status),
            request_id,
        });
    }
}

impl Outgoing<'_> {
    /// Returns the error of a request without a response.
    fn unanswered(&self, error: TransportError) -> Error {
        Error::Transport { subject: self.subject.clone(), error: Box::new(error), request_id: None }
    }
}

fn signed(
    outgoing: &Outgoing<'_>,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<reqwest::Request, ConfigError> {
    fn failed(error: impl Into<BoxError>) -> ConfigError {
        ConfigError::Signing { source: error.into() }
    }
    if !clock::can_be_written(now) {
        return Err(ConfigError::Clock);
    }
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&outgoing.region)
        .name(SIGNING_NAME)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(failed)?
        .into();
    let url = outgoing.url.as_str();
    let body = SignableBody::Bytes(outgoing.body.as_bytes());
    let signable = SignableRequest::new("POST", url, std::iter::once(CONTENT_TYPE), body).map_err(failed)?;
    let (instructions, _) = sign(signable, &params).map_err(failed)?.into_parts();
    let mut request =
        http::Request::post(url).header(CONTENT_TYPE.0, CONTENT_TYPE.1).body(outgoing.body.clone()).map_err(failed)?;
    instructions.apply_to_request_http1x(&mut request);
    request.try_into().map_err(|error: reqwest::Error| failed(error))
}

/// Returns a response's request id, in either spelling: the documentation has one, AWS's SDKs read the other.
pub(super) fn request_id(response: &Response) -> Option<String> {
    either_header(response, ["x-amzn-requestid", "x-amz-requestid"])
}

fn either_header(response: &Response, names: [&str; 2]) -> Option<String> {
    let value = names.iter().find_map(|name| response.headers().get(*name))?;
    value.to_str().ok().map(shown)
}

/// Reads an error response.
async fn refusal(outgoing: &Outgoing<'_>, response: Response) -> ServiceError {
    let status = response.status();
    let request_id = request_id(&response);
    let header_type = either_header(&response, ["x-amzn-errortype", "x-amz-errortype"]);
    let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = tokio::time::timeout(CALL_TIMEOUT, read_bounded(response, ERROR_BODY_MAX_BYTES)).await;
    let body = body.unwrap_or_default();
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |names: [&str; 2]| names.iter().find_map(|name| value[*name].as_str()).map(str::to_owned);
    let error_type = header_type.or_else(|| text(["__type", "code"])).unwrap_or_default();
    // `com.amazon…#Name` and `Name:http://…` both occur.
    let error_type = error_type.rsplit('#').next().unwrap_or_default();
    let error_type = shown(error_type.split(':').next().unwrap_or_default().trim());
    let message = match location {
        Some(location) if status.is_redirection() => {
            format!("it points to {}, which is not followed", shown(&location))
        }
        _ => text(["message", "Message"]).map_or_else(|| shown_bytes(&body), |message| shown(&message)),
    };
    ServiceError {
        subject: outgoing.subject.clone(),
        status: status.as_u16(),
        error_type,
        message,
        request_id,
        selector: outgoing.selector.cloned(),
    }
}

/// Returns the first `most_bytes` of a body, or what had arrived when it broke off.
async fn read_bounded(mut response: Response, most_bytes: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        let room = most_bytes - body.len();
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        if body.len() >= most_bytes {
            break;
        }
    }
    body
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
