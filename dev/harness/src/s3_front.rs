//! A store that is in trouble, or that refuses credentials: a front for an [`S3Server`].
//!
//! **What is real:** everything that is forwarded is answered by the server behind. **What is not:** the front itself, whose own
//! answers are written after S3's documentation.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::S3Server;
use crate::forward::{Unanswered, forward};

/// The largest request or response that is forwarded.
const BODY_MAX_BYTES: usize = 128 << 20;
/// How many requests are remembered; later ones are forwarded all the same.
const REMEMBERED_MAX: usize = 10_000;
/// The header with the token of temporary credentials.
const TOKEN: &str = "x-amz-security-token";

/// What is wrong with the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum S3Trouble {
    /// Takes requests and never responds.
    Hang,
    /// Closes the connection instead of answering.
    Drop,
    /// Takes a request's body slowly, in steps of 50 ms, and then forwards it.
    Slow {
        /// How many bytes are taken in each step, about.
        step_bytes: usize,
    },
    /// Answers with an error of S3, without looking at the request.
    Answer {
        /// The HTTP status.
        status: u16,
        /// S3's code, such as `SlowDown`.
        code: &'static str,
        /// What the answer says besides that, as XML.
        more: &'static str,
    },
}

impl S3Trouble {
    /// Answers with an error of S3.
    pub fn answer(status: u16, code: &'static str) -> Self {
        Self::Answer { status, code, more: "" }
    }
}

/// A request that the front has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Request {
    /// `PUT`, `DELETE` and so on.
    pub method: String,
    /// The path, which begins with the bucket; or a whole URL if the front was used as an HTTP proxy.
    pub target: String,
    /// The token of temporary credentials, if there was one.
    pub token: Option<String>,
}

/// An HTTP server in front of an [`S3Server`], which can also be used as an HTTP proxy. It stops when this is dropped.
#[derive(Debug)]
pub struct S3Front {
    address: String,
    state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
}

#[derive(Debug, Default)]
struct State {
    /// `host:port` of the server.
    behind: String,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Methods that nobody has the right to use.
    forbidden: Vec<String>,
    /// The only token of temporary credentials that is accepted.
    required: Option<String>,
    /// What is wrong, and for how many more requests.
    trouble: Option<(S3Trouble, usize)>,
    requests: Vec<S3Request>,
}

impl S3Front {
    /// Starts a front that forwards everything.
    ///
    /// # Panics
    /// Panics if it cannot listen.
    pub fn start(behind: &S3Server) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let state = Arc::new(State { behind: behind.address().to_owned(), inner: Mutex::default() });
        runtime.spawn(serve(listener, Arc::clone(&state)));
        Self { address, state, runtime: Some(runtime) }
    }

    /// Returns its URL, which is the value of `payload.store.endpoint`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Begins a trouble, for this many requests; it ends with them, or when the next one begins. Requests that hang already stay
    /// unanswered.
    pub fn trouble(&self, trouble: S3Trouble, requests: usize) {
        self.state.lock().trouble = (requests > 0).then_some((trouble, requests));
    }

    /// Ends the trouble.
    pub fn no_trouble(&self) {
        self.state.lock().trouble = None;
    }

    /// Denies all requests with this method, from now on, as a policy does.
    pub fn forbid(&self, method: &str) {
        self.state.lock().forbidden.push(method.to_owned());
    }

    /// Refuses all requests without this token of temporary credentials as expired, from now on.
    pub fn require_token(&self, token: &str) {
        self.state.lock().required = Some(token.to_owned());
    }

    /// Returns the requests up to now in the order in which they came, at most 10,000.
    pub fn requests(&self) -> Vec<S3Request> {
        self.state.lock().requests.clone()
    }
}

impl Drop for S3Front {
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

    /// Notes a request, and returns what is wrong when it comes.
    fn note(&self, request: &Request<Incoming>) -> Option<S3Trouble> {
        let token = request.headers().get(TOKEN).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let mut inner = self.lock();
        if inner.requests.len() < REMEMBERED_MAX {
            let (method, target) = (request.method().to_string(), request.uri().to_string());
            inner.requests.push(S3Request { method, target, token: token.clone() });
        }
        let trouble = inner.trouble.take();
        inner.trouble = trouble.clone().map(|(trouble, left)| (trouble, left - 1)).filter(|(_, left)| *left > 0);
        let is_expired = inner.required.is_some() && inner.required != token;
        let is_forbidden = inner.forbidden.iter().any(|method| method == request.method().as_str());
        match trouble {
            Some((trouble, _)) => Some(trouble),
            None if is_expired => Some(S3Trouble::answer(400, "ExpiredToken")),
            None if is_forbidden => Some(S3Trouble::answer(403, "AccessDenied")),
            None => None,
        }
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) -> Infallible {
    loop {
        // What cannot be accepted is the client's to notice; the next one may be.
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| respond(&state, request));
            // An error here is the dropped connection of `S3Trouble::Drop`, or a client that went away.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn respond(state: &State, request: Request<Incoming>) -> Result<Response<Body>, Unanswered> {
    match state.note(&request) {
        Some(S3Trouble::Hang) => pending().await,
        Some(S3Trouble::Drop) => Err("dropped on purpose".into()),
        Some(S3Trouble::Answer { status, code, more }) => {
            let body = format!(
                "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>On purpose &amp; for a test.</Message>{more}</Error>"
            );
            Ok(Response::builder().status(status).header(CONTENT_TYPE, "application/xml").body(Body::from(body))?)
        }
        Some(S3Trouble::Slow { step_bytes }) => ask(&state.behind, request, Some(step_bytes)).await,
        None => ask(&state.behind, request, None).await,
    }
}

/// Takes a body slowly.
async fn taken(mut body: Incoming, step_bytes: usize) -> Result<Vec<u8>, Unanswered> {
    let (mut bytes, mut left) = (Vec::new(), step_bytes);
    while let Some(frame) =
        std::future::poll_fn(|context| hyper::body::Body::poll_frame(std::pin::Pin::new(&mut body), context)).await
    {
        let Ok(data) = frame?.into_data() else { continue };
        bytes.extend_from_slice(&data);
        left = left.saturating_sub(data.len());
        if left == 0 {
            left = step_bytes;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(bytes)
}

/// Passes a request on to the server.
async fn ask(
    behind: &str,
    request: Request<Incoming>,
    step_bytes: Option<usize>,
) -> Result<Response<Body>, Unanswered> {
    let (head, body) = request.into_parts();
    let body = match step_bytes {
        Some(step_bytes) => taken(body, step_bytes).await?.into(),
        None => to_bytes(Body::new(body), BODY_MAX_BYTES).await?,
    };
    forward(behind, (head, body), BODY_MAX_BYTES).await
}
