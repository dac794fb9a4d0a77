//! The listener, with one task per connection.

mod config;
mod tls;

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::{Extension, Router};
use futures::FutureExt;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::api::{self, Service};
use crate::call_limits::CallLimits;
use crate::clock::Clock;
use crate::connection::ConnectionHandle;
use crate::error::ServiceError;
use crate::fault::Fault;
use crate::faults::Faults;
use crate::model::{Media, Stream, StreamSource};
use crate::signature::Verifier;
use crate::store::Store;

pub use config::{DEFAULT_ACCOUNT, ServeError, SimulatorConfig};
pub use tls::{Tls, TlsError};

/// The time limit of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A running simulator. It ends when it is stopped or dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    url: String,
    store: Arc<Store>,
    faults: Arc<Faults>,
    verifier: Arc<Verifier>,
    /// The account of the streams that are played from files.
    default_account: String,
    certificate_pem: Option<String>,
    cancel: CancellationToken,
    /// Cancelled when the task that accepts connections has ended, however that happened.
    ended: CancellationToken,
    tasks: TaskTracker,
}

impl Simulator {
    /// Reads the files and starts to listen.
    ///
    /// # Errors
    /// Returns an error if a file cannot be played, the data folder cannot be read, TLS cannot be set up, or the address
    /// cannot be listened on.
    pub async fn start(config: SimulatorConfig) -> Result<Self, ServeError> {
        let listen_error = |source| ServeError::Listen { address: config.listen.clone(), source };
        let listener = TcpListener::bind(&config.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let (acceptor, certificate_pem) = config.tls.as_ref().map(tls::acceptor).transpose()?.unzip();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let url = config.advertise.unwrap_or_else(|| format!("{scheme}://{address}"));
        let default_account = config.keys.first().map_or(DEFAULT_ACCOUNT.to_owned(), |key| key.account.clone());
        let clock = Clock { offset_millis: config.clock_offset_ms };
        let store = Arc::new(Store::new(config.region.clone(), clock, config.limits, config.data.clone()));
        if let Some(folder) = config.data {
            store.restore().map_err(|source| ServeError::Data { folder, source })?;
        }
        let faults = Arc::new(Faults::new(config.seed));
        config.faults.into_iter().for_each(|fault| faults.add(fault));
        for source in &config.streams {
            play(&store, &default_account, source)?;
        }
        let verifier = Arc::new(Verifier::new(config.keys, config.region, clock));
        let router = api::router(Service {
            store: Arc::clone(&store),
            faults: Arc::clone(&faults),
            verifier: Arc::clone(&verifier),
            call_limits: CallLimits::new(config.limits),
            data_endpoint: url.clone(),
            default_account: default_account.clone(),
        });
        let (cancel, ended, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let accepting = accept(listener, acceptor, with_panics_caught(router), cancel.clone(), tasks.clone());
        tasks.spawn(noticed(accepting, ended.clone().drop_guard()));
        tasks.close();
        Ok(Self { address, url, store, faults, verifier, default_account, certificate_pem, cancel, ended, tasks })
    }

    /// Returns the address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of the API: the advertised one, or `http://ADDRESS` or `https://ADDRESS`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the certificate that clients have to trust, in PEM, if the simulator speaks TLS.
    pub fn certificate_pem(&self) -> Option<&str> {
        self.certificate_pem.as_deref()
    }

    /// Adds a stream that is played from a file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be played, or if the name is invalid or in use.
    pub fn add_stream(&self, source: &StreamSource) -> Result<(), ServeError> {
        play(&self.store, &self.default_account, source)
    }

    /// Deletes a stream of the first key's account, as DeleteStream does. Returns `false` if there is none of that name.
    pub fn remove_stream(&self, name: &str) -> bool {
        let stream = self.stream(name);
        // The store logs what it cannot remove from the data folder.
        stream.map(|stream| self.store.delete(&stream)).is_some()
    }

    /// Ends playing the file of a stream of the first key's account; the stream keeps its fragments. Returns `false` if
    /// there is no stream of that name.
    pub fn end_playback(&self, name: &str) -> bool {
        self.stream(name).map(|stream| stream.end_playback()).is_some()
    }

    /// Sets a tag of a stream of the first key's account, as TagStream does. Returns `false` if there is no stream of that
    /// name.
    pub fn tag_stream(&self, name: &str, key: &str, value: &str) -> bool {
        self.stream(name).map(|stream| stream.settings().tags.insert(key.to_owned(), value.to_owned())).is_some()
    }

    /// Lets an access key expire now, as temporary credentials do. Returns `false` if there is none with this id.
    pub fn expire_key(&self, id: &str) -> bool {
        self.verifier.expire(id)
    }

    /// Adds a fault.
    pub fn add_fault(&self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Returns the faults that are still to strike.
    pub fn pending_faults(&self) -> Vec<Fault> {
        self.faults.pending()
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.faults.clear();
    }

    /// Waits until connections are no longer accepted. Unless the simulator is stopped that is a defect.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Closes all connections and waits until they are closed.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tasks.wait().await;
    }

    fn stream(&self, name: &str) -> Option<Arc<Stream>> {
        self.store.get(&self.default_account, name)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn play(store: &Store, account: &str, source: &StreamSource) -> Result<(), ServeError> {
    let name = &source.name;
    if !kvs_api::is_stream_name(name) {
        return Err(ServeError::StreamName { name: name.clone() });
    }
    let media = Media::read(&source.file).map_err(|source| ServeError::Source { stream: name.clone(), source })?;
    for chunk in &media.unterminated {
        let number = chunk.number.as_ref().map_or("unknown", |number| number.as_str());
        let size_bytes = chunk.bytes.len();
        tracing::warn!(stream = %name, file = %source.file.display(), fragment_number = number, size_bytes,
            "a fragment of the recording is unterminated (no continuation token); only a fault can serve it");
    }
    let fragments = media.chunks.len();
    if store.play(account, name, media, source.repeat, source.pace).is_none() {
        return Err(ServeError::Twice { name: name.clone() });
    }
    tracing::info!(stream = %name, file = %source.file.display(), fragments, "serving a stream from a file");
    Ok(())
}

/// Runs a task, and drops the guard when the task ends, also by a panic.
async fn noticed<T>(task: impl Future<Output = T>, ended: DropGuard) -> T {
    let _ended = ended;
    task.await
}

/// Responds with 500 to a request that panics, instead of closing its connection.
fn with_panics_caught(router: Router) -> Router {
    router.layer(axum::middleware::from_fn(async |request: Request, next: Next| {
        let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        answered.unwrap_or_else(|_| ServiceError::internal("the simulator panicked".to_owned()).into_response())
    }))
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    cancel: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                tasks.spawn(handle(socket, acceptor.clone(), router.clone(), cancel.clone()));
            }
            Err(error) => {
                // Most likely the process is out of file descriptors until other connections close.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn handle(socket: TcpStream, acceptor: Option<TlsAcceptor>, router: Router, cancel: CancellationToken) {
    let _ = socket.set_nodelay(true);
    let router = match ConnectionHandle::of(&socket) {
        Some(handle) => router.layer(Extension(handle)),
        None => router,
    };
    match acceptor {
        None => serve(socket, router, cancel).await,
        Some(acceptor) => {
            let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket));
            let shaken = tokio::select! {
                () = cancel.cancelled() => return,
                shaken = handshake => shaken,
            };
            match shaken {
                Ok(Ok(stream)) => serve(stream, router, cancel).await,
                Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
                Err(_) => tracing::debug!("TLS handshake timed out"),
            }
        }
    }
}

async fn serve<S>(stream: S, router: Router, cancel: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(router);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(60));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = cancel.cancelled() => {}
        result = connection => if let Err(error) = result {
            tracing::debug!(%error, "connection ended");
        },
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
