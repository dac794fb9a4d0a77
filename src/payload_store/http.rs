//! Requests to a store: TLS, proxy, and limits of time.
//!
//! **Contract.** An upload that makes progress goes on until the limit of one attempt; one that makes none ends within
//! [`STALLED_AFTER`]. What a server answers instead of a success becomes a [`Refusal`], of which no more is kept than a status, a
//! code and a few words: bodies repeat signed requests. Redirects are not followed, because requests are signed for their host.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use kvs_client::{files, shown_up_to, with_causes};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpService,
};
use reqwest::{Certificate, NoProxy, Proxy};
use tokio::time::{Instant, timeout, timeout_at};

use super::config::PayloadStoreConfig;

/// How long an upload may make no progress, and how long a response may take once everything has been sent.
const STALLED_AFTER: Duration = Duration::from_secs(10);
/// Into how large pieces bodies are cut, in bytes: one that has been taken is progress.
const PIECE_BYTES: usize = 64 << 10;
/// The maximum size of a response, in bytes. Stores answer with a few lines, services of tokens with a few kilobytes.
const RESPONSE_MAX_BYTES: usize = 1 << 20;
/// The maximum number of characters of a server's words.
const MESSAGE_MAX_CHARS: usize = 300;

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("HTTP {status}{}{}", separated(" ", code), separated(": ", message))]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: u16,
    /// The store's code, such as `NoSuchBucket`; empty if there is none.
    pub(super) code: String,
    /// Its words; empty if there are none.
    pub(super) message: String,
    /// The bucket's region, if S3 names it.
    pub(super) region: Option<String>,
}

/// A request without a complete response.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransferError {
    /// Nothing moved.
    #[error("no progress for {} s, with {sent_bytes} of {size_bytes} bytes sent", after.as_secs())]
    Stalled {
        /// For how long.
        after: Duration,
        /// How much had been sent.
        sent_bytes: u64,
        /// Of how much.
        size_bytes: u64,
    },
    /// It took too long in all.
    #[error("not finished within {} s, with {sent_bytes} of {size_bytes} bytes sent", limit.as_secs_f32())]
    TooSlow {
        /// The limit.
        limit: Duration,
        /// How much had been sent.
        sent_bytes: u64,
        /// Of how much.
        size_bytes: u64,
    },
    /// No connection, or one that broke. The text has the causes without the URL, which may have a signature.
    #[error("{0}")]
    Broken(String),
    /// The response is larger than that of any store.
    #[error("a response of more than {RESPONSE_MAX_BYTES} bytes")]
    TooLarge,
    /// The request has no URL that can be used.
    #[error("the URL of the request is invalid")]
    BadUrl,
}

/// Reasons why there is no HTTP client.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// A file of certificates cannot be read.
    #[error("the file of certificates {} {source}", file.display())]
    Unreadable {
        /// The file.
        file: std::path::PathBuf,
        /// Why not.
        source: files::FileError,
    },
    /// A file has no certificates.
    #[error("the file {} has no certificates in PEM", file.display())]
    NoCertificates {
        /// The file.
        file: std::path::PathBuf,
    },
    /// The proxy or the client cannot be used.
    #[error("no HTTP client: {0}")]
    Client(String),
}

fn separated(separator: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{separator}{text}") }
}

/// Gives object_store's clients the connector's HTTP client.
#[derive(Debug, Clone)]
pub(super) struct Connector(Service);

#[derive(Debug, Clone)]
struct Service {
    client: reqwest::Client,
    timeout: Duration,
    stalled_after: Duration,
}

impl Connector {
    /// Creates a client; reads the file of certificates.
    ///
    /// # Errors
    /// When that file or the proxy cannot be used.
    pub(super) fn new(config: &PayloadStoreConfig) -> Result<Self, ClientError> {
        let failed = |error: reqwest::Error| ClientError::Client(with_causes(&error.without_url()));
        let mut builder = reqwest::Client::builder()
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(config.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("kvs-connect/", env!("CARGO_PKG_VERSION")));
        if let Some(url) = &config.proxy {
            let exceptions = config.no_proxy.as_deref().map_or_else(NoProxy::from_env, NoProxy::from_string);
            builder = builder.proxy(Proxy::all(url).map_err(failed)?.no_proxy(exceptions));
        }
        let of_environment = || std::env::var_os("AWS_CA_BUNDLE").map(std::path::PathBuf::from);
        if let Some(file) = config.ca_file.clone().or_else(of_environment) {
            let pem = files::read(&file).map_err(|source| ClientError::Unreadable { file: file.clone(), source })?;
            let found = Certificate::from_pem_bundle(&pem).unwrap_or_default();
            if found.is_empty() {
                return Err(ClientError::NoCertificates { file });
            }
            builder = builder.tls_certs_merge(found);
        }
        let client = builder.build().map_err(failed)?;
        Ok(Self(Service { client, timeout: config.timeout, stalled_after: STALLED_AFTER }))
    }
}

impl HttpConnector for Connector {
    /// The options are those of object_store's own client; [`super::options`] refuses them.
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let size_bytes = body.size_hint().exact().unwrap_or_default();
        let progress = Arc::new(Progress::new(size_bytes, self.stalled_after));
        let bad_url = |_| HttpError::new(HttpErrorKind::Unknown, TransferError::BadUrl);
        let url = parts.uri.to_string().parse().map_err(bad_url)?;
        let mut sent = reqwest::Request::new(parts.method, url);
        *sent.headers_mut() = parts.headers;
        *sent.body_mut() =
            Some(reqwest::Body::wrap(Watched { body, rest: Bytes::new(), progress: Arc::clone(&progress) }));
        let limit = Instant::now() + self.timeout;
        let response = progress.watch(self.client.execute(sent), limit, self.timeout).await?.map_err(broken)?;
        let response: hyper::Response<reqwest::Body> = response.into();
        let (parts, body) = response.into_parts();
        let within = self.stalled_after.min(limit.saturating_duration_since(Instant::now()));
        let body = timeout(within, collected(body)).await.map_err(|_| progress.stalled(within))??;
        if parts.status.is_success() {
            return Ok(HttpResponse::from_parts(parts, body.into()));
        }
        let region = parts.headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
        let refusal = Refusal::new(parts.status.as_u16(), &body, region);
        // `Request` is repeated by object_store, `Unknown` is not.
        let passes = parts.status.is_server_error() || matches!(refusal.status, 408 | 429);
        let kind = if passes { HttpErrorKind::Request } else { HttpErrorKind::Unknown };
        Err(HttpError::new(kind, refusal))
    }
}

/// Returns all bytes of a response.
async fn collected(body: reqwest::Body) -> Result<Bytes, HttpError> {
    let mut body = std::pin::pin!(body);
    let mut bytes = BytesMut::new();
    while let Some(frame) = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        if bytes.len() + data.len() > RESPONSE_MAX_BYTES {
            return Err(HttpError::new(HttpErrorKind::Decode, TransferError::TooLarge));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

fn broken(error: reqwest::Error) -> HttpError {
    let kind = match () {
        () if error.is_connect() => HttpErrorKind::Connect,
        () if error.is_timeout() => HttpErrorKind::Timeout,
        () => HttpErrorKind::Interrupted,
    };
    // The URL may contain a signature, or a password of the proxy.
    HttpError::new(kind, TransferError::Broken(with_causes(&error.without_url())))
}

impl Refusal {
    fn new(status: u16, body: &[u8], region: Option<&str>) -> Self {
        let text = String::from_utf8_lossy(body);
        let (code, message) = match serde_json::from_slice::<serde_json::Value>(body) {
            Ok(json) => of_json(&json),
            Err(_) => (of_xml(&text, "Code"), of_xml(&text, "Message")),
        };
        // S3 names it in the body when the signature is for another region.
        let region =
            region.map(str::to_owned).or_else(|| Some(of_xml(&text, "Region")).filter(|name| !name.is_empty()));
        let shown = |text: String| shown_up_to(text.trim(), MESSAGE_MAX_CHARS);
        Self { status, code: shown(code), message: shown(message), region: region.map(shown) }
    }
}

/// Returns code and message of Google's error, or of an OAuth service's.
fn of_json(json: &serde_json::Value) -> (String, String) {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    match &json["error"] {
        serde_json::Value::String(code) => (code.clone(), text(&json["error_description"])),
        error => (text(&error["status"]), text(&error["message"])),
    }
}

/// Returns the text of the first element of this name.
fn of_xml(text: &str, name: &str) -> String {
    let behind = text.split_once(&format!("<{name}>")).map_or("", |(_, behind)| behind);
    let inner = behind.split_once('<').map_or("", |(inner, _)| inner);
    inner.replace("&quot;", "\"").replace("&apos;", "'").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// How far an upload is.
#[derive(Debug)]
struct Progress {
    began: Instant,
    size_bytes: u64,
    stalled_after: Duration,
    state: Mutex<(Instant, u64)>,
}

impl Progress {
    fn new(size_bytes: u64, stalled_after: Duration) -> Self {
        let began = Instant::now();
        Self { began, size_bytes, stalled_after, state: Mutex::new((began, 0)) }
    }

    fn state(&self) -> (Instant, u64) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, bytes: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = (Instant::now(), state.1 + bytes as u64);
    }

    /// Returns when it has stalled unless it advances until then.
    fn deadline(&self) -> Instant {
        let (last, sent_bytes) = self.state();
        if sent_bytes < self.size_bytes {
            return last + self.stalled_after;
        }
        // The last pieces are in buffers of the kernel. On a slow line they take their time, at most as long as those before.
        last + self.stalled_after.max(last - self.began)
    }

    fn stalled(&self, after: Duration) -> HttpError {
        let (_, sent_bytes) = self.state();
        HttpError::new(
            HttpErrorKind::Timeout,
            TransferError::Stalled { after, sent_bytes, size_bytes: self.size_bytes },
        )
    }

    /// Waits for a request that this is the progress of.
    async fn watch<T>(
        &self,
        request: impl Future<Output = T>,
        limit: Instant,
        timeout: Duration,
    ) -> Result<T, HttpError> {
        let mut request = std::pin::pin!(request);
        loop {
            let deadline = self.deadline();
            if let Ok(done) = timeout_at(deadline.min(limit), request.as_mut()).await {
                return Ok(done);
            }
            let (last, sent_bytes) = self.state();
            if Instant::now() >= limit {
                let error = TransferError::TooSlow { limit: timeout, sent_bytes, size_bytes: self.size_bytes };
                return Err(HttpError::new(HttpErrorKind::Timeout, error));
            }
            if self.deadline() <= Instant::now() {
                return Err(self.stalled(last.elapsed()));
            }
        }
    }
}

/// A body in small pieces, each of which is noted when it is taken. Pieces share the body's memory.
struct Watched {
    body: HttpRequestBody,
    rest: Bytes,
    progress: Arc<Progress>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        while self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => self.rest = frame.into_data().unwrap_or_default(),
                other => return other,
            }
        }
        let size = PIECE_BYTES.min(self.rest.len());
        let piece = self.rest.split_to(size);
        self.progress.advance(size);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.size_hint().exact().unwrap_or_default();
        SizeHint::with_exact(rest + self.rest.len() as u64)
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
