//! A registry that asks for credentials, or that is in trouble.
//!
//! **What is real:** everything that is forwarded is answered by the real registry behind. **What is not:** the front itself.
//! It compares the header `Authorization` with the one value that it was told, and its own answers (401, trouble) are
//! written after Confluent's documentation. It says nothing of how a registry of a vendor words them.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::Registry;
use crate::forward::{Unanswered, forward};

/// The largest request or response that is forwarded.
const BODY_MAX_BYTES: usize = 4 << 20;
/// How many requests are remembered; later ones are forwarded all the same.
const REMEMBERED_MAX: usize = 10_000;
const JSON: &str = "application/vnd.schemaregistry.v1+json";

/// What is wrong with the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Takes requests and never responds.
    Hang,
    /// Closes the connection instead of answering.
    Drop,
    /// Answers every request with this, whatever it asks.
    Answer {
        /// The status code.
        status: u16,
        /// The header `Content-Type`.
        content_type: &'static str,
        /// The body.
        body: String,
    },
}

impl Trouble {
    /// Answers with a status and an error as the registry's API has them.
    pub fn status(status: u16) -> Self {
        let body = format!(r#"{{"error_code":{status},"message":"on purpose"}}"#);
        Self::Answer { status, content_type: JSON, body }
    }

    /// Answers 200 with a page of HTML, as the sign-in page of a network or a wrong URL does.
    pub fn html() -> Self {
        let body = "<!doctype html><title>Sign in</title><p>Please sign in.".to_owned();
        Self::Answer { status: 200, content_type: "text/html; charset=utf-8", body }
    }
}

/// A request that the front has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryRequest {
    /// `GET`, `POST` and so on.
    pub method: String,
    /// What was asked for: a path with its query, or a whole URL if the front was used as an HTTP proxy.
    pub target: String,
    /// The header `Authorization`, if there was one.
    pub authorization: Option<String>,
}

/// An HTTP server in front of a [`Registry`]. It stops when this is dropped.
///
/// A client can also be given the front's address as its HTTP proxy, with the registry's own URL: [`RegistryRequest::target`]
/// shows that it used the proxy.
#[derive(Debug)]
pub struct RegistryFront {
    address: String,
    url: String,
    state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Debug, Default)]
struct State {
    /// `host:port` of the registry.
    behind: String,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The only accepted value of the header `Authorization`.
    required: Option<String>,
    trouble: Option<Trouble>,
    requests: Vec<RegistryRequest>,
}

impl RegistryFront {
    /// Starts a front that forwards everything.
    ///
    /// # Panics
    /// Panics if it cannot listen.
    pub fn start(behind: &Registry) -> Self {
        Self::listen(behind, "http", None)
    }

    /// Starts a front that takes TLS only and forwards everything. `tls` has its certificate, for the name `localhost` or
    /// the address 127.0.0.1, and says whether clients need one.
    ///
    /// # Panics
    /// Panics if it cannot listen.
    pub fn start_tls(behind: &Registry, tls: ServerConfig) -> Self {
        Self::listen(behind, "https", Some(TlsAcceptor::from(Arc::new(tls))))
    }

    fn listen(behind: &Registry, scheme: &str, tls: Option<TlsAcceptor>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let state = Arc::new(State { behind: behind.address().to_owned(), inner: Mutex::default() });
        runtime.spawn(serve(listener, tls, Arc::clone(&state)));
        let url = behind.url().replace(&format!("http://{}", behind.address()), &format!("{scheme}://{address}"));
        Self { address, url, state, runtime: Some(runtime) }
    }

    /// Returns the URL of Confluent's API at this front.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Answers 401 to all requests without this user and password, from now on.
    pub fn require_basic(&self, user: &str, password: &str) {
        self.state.lock().required = Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
    }

    /// Answers 401 to all requests without this token, from now on.
    pub fn require_bearer(&self, token: &str) {
        self.state.lock().required = Some(format!("Bearer {token}"));
    }

    /// Begins a trouble, or ends it with `None`. Requests that hang already stay unanswered. Trouble comes before
    /// credentials: a registry that hangs does so for everybody.
    pub fn trouble(&self, trouble: Option<Trouble>) {
        self.state.lock().trouble = trouble;
    }

    /// Returns the requests up to now in the order in which they came, at most 10,000.
    pub fn requests(&self) -> Vec<RegistryRequest> {
        self.state.lock().requests.clone()
    }
}

impl Drop for RegistryFront {
    fn drop(&mut self) {
        // Requests that hang would be waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) -> Infallible {
    loop {
        // What cannot be accepted is the client's to notice; the next one may be.
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            continue;
        };
        let (state, tls) = (Arc::clone(&state), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => connection(socket, &state).await,
                // A client that does not trust the certificate is none.
                Some(tls) => {
                    if let Ok(socket) = tls.accept(socket).await {
                        connection(socket, &state).await;
                    }
                }
            }
        });
    }
}

async fn connection(socket: impl AsyncRead + AsyncWrite + Unpin, state: &State) {
    let service = service_fn(|request| respond(state, request));
    // An error here is the dropped connection of `Trouble::Drop`, or a client that went away.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}

async fn respond(state: &State, request: Request<Incoming>) -> Result<Response<Body>, Unanswered> {
    let header =
        request.headers().get(AUTHORIZATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let (trouble, refused) = {
        let mut inner = state.lock();
        if inner.requests.len() < REMEMBERED_MAX {
            let (method, target) = (request.method().to_string(), request.uri().to_string());
            inner.requests.push(RegistryRequest { method, target, authorization: header.clone() });
        }
        (inner.trouble.clone(), inner.required.is_some() && inner.required != header)
    };
    match trouble {
        Some(Trouble::Hang) => pending().await,
        Some(Trouble::Drop) => Err("dropped on purpose".into()),
        Some(Trouble::Answer { status, content_type, body }) => {
            Ok(Response::builder().status(status).header(CONTENT_TYPE, content_type).body(Body::from(body))?)
        }
        None if refused => Ok(Response::builder()
            .status(StatusCode::UNAUTHORIZED)
            .header(WWW_AUTHENTICATE, "Basic realm=\"registry\"")
            .header(CONTENT_TYPE, JSON)
            .body(Body::from(r#"{"error_code":401,"message":"Unauthorized"}"#))?),
        None => ask(&state.behind, request).await,
    }
}

/// Passes a request on to the registry.
async fn ask(behind: &str, request: Request<Incoming>) -> Result<Response<Body>, Unanswered> {
    let (mut head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), BODY_MAX_BYTES).await?;
    // The registry needs no credentials.
    head.headers.remove(AUTHORIZATION);
    head.headers.insert(HOST, behind.parse()?);
    forward(behind, (head, body), BODY_MAX_BYTES).await
}

#[cfg(test)]
#[path = "registry_front_tests.rs"]
mod tests;
