//! Listening, and one task a connection.

mod config;
mod shared;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api;
use crate::call_limits::CallCounts;
use crate::clock::Clock;
use crate::disk::{Disk, Kept};
use crate::fault::{Fault, Faults};
use crate::source::{Media, Pace, Repeat, StreamSource};
use crate::store::{self, Store};
use crate::stream::{Identity, Playback, Settings, Stream};

pub use config::{DEFAULT_ACCOUNT, ServeError, SimulatorConfig};
pub(crate) use shared::Shared;
pub use tls::{Tls, TlsError};

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A running simulator. It ends when it is dropped or stopped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    certificate_pem: Option<String>,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

/// The connection a request came on, for a fault that resets it.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionHandle(Arc<socket2::Socket>);

impl ConnectionHandle {
    /// Makes the connection end with a reset when it is closed.
    pub(crate) fn reset_on_close(&self) {
        if let Err(error) = self.0.set_linger(Some(Duration::ZERO)) {
            tracing::warn!(%error, "the connection will be closed and not reset");
        }
    }
}

impl Simulator {
    /// Reads the files and begins to listen.
    ///
    /// # Errors
    /// When a file cannot be played or the address not be listened on.
    pub async fn start(config: SimulatorConfig) -> Result<Self, ServeError> {
        let listen_error = |error| ServeError::Listen { address: config.listen.clone(), error };
        let listener = TcpListener::bind(&config.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let (acceptor, certificate_pem) = config.tls.as_ref().map(tls::acceptor).transpose()?.unzip();
        let scheme = if acceptor.is_some() { "https" } else { "http" };
        let default_account = config.keys.first().map_or(DEFAULT_ACCOUNT.to_owned(), |key| key.account.clone());
        let shared = Arc::new(Shared {
            url: config.advertise.unwrap_or_else(|| format!("{scheme}://{address}")),
            region: config.region,
            keys: config.keys,
            default_account,
            limits: config.limits,
            store: Store::default(),
            counts: CallCounts::default(),
            faults: Faults::new(config.seed),
            clock: Clock { offset_millis: config.clock_offset_ms },
            disk: config.data.clone().map(Disk::new),
        });
        if let Some(folder) = config.data {
            restore(&shared).map_err(|error| ServeError::Data { folder, error })?;
        }
        for fault in config.faults {
            shared.faults.add(fault);
        }
        for source in config.streams {
            add_stream(&shared, &source)?;
        }
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let router = api::router(Arc::clone(&shared));
        tasks.spawn(accept(listener, acceptor, router, cancel.clone(), tasks.clone()));
        tasks.close();
        Ok(Self { address, shared, certificate_pem, cancel, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://address` or `https://address`, as `kvs.endpoint` takes it.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The certificate to trust, PEM, when it speaks TLS.
    pub fn certificate_pem(&self) -> Option<&str> {
        self.certificate_pem.as_deref()
    }

    /// Adds a stream while running.
    ///
    /// # Errors
    /// When the file cannot be played or the name is taken.
    pub fn add_stream(&self, source: &StreamSource) -> Result<(), ServeError> {
        add_stream(&self.shared, source)
    }

    /// Removes a stream of the first key's account, as DeleteStream does; `false`: there is none of that name.
    pub fn remove_stream(&self, name: &str) -> bool {
        let stream = self.shared.store.get(&self.shared.default_account, name);
        stream.map(|stream| self.shared.store.remove(&stream)).is_some()
    }

    /// Ends what is played into a stream of the first key's account, which stays with what it holds; `false`: there is none
    /// of that name.
    pub fn end_playback(&self, name: &str) -> bool {
        let stream = self.shared.store.get(&self.shared.default_account, name);
        stream.map(|stream| stream.end_playback()).is_some()
    }

    /// Sets a tag of a stream of the first key's account, as TagStream does; `false`: there is none of that name.
    pub fn tag_stream(&self, name: &str, key: &str, value: &str) -> bool {
        let stream = self.shared.store.get(&self.shared.default_account, name);
        stream.map(|stream| stream.settings().tags.insert(key.to_owned(), value.to_owned())).is_some()
    }

    /// Adds a fault while running.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.faults.add(fault);
    }

    /// Faults that have not struck yet.
    pub fn pending_faults(&self) -> Vec<Fault> {
        self.shared.faults.pending()
    }

    /// Takes back all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Closes all connections and waits until they are.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Puts back the streams that were kept.
fn restore(shared: &Shared) -> std::io::Result<()> {
    let Some(disk) = &shared.disk else { return Ok(()) };
    let now = shared.clock.now_millis();
    let kept = disk.load(|hours| match hours {
        0 => i64::MAX,
        _ => now.saturating_sub(shared.limits.retention_millis(hours)),
    })?;
    for Kept { identity, settings, fragments } in kept {
        let (name, count) = (identity.name.clone(), fragments.len());
        let playback = Playback::new(&name, Media::default(), Repeat::Times(1), Pace::Max, shared.clock, 0);
        let stream = Stream::new(identity, settings, playback, shared.clock, &shared.limits);
        fragments.into_iter().for_each(|held| stream.restore(held));
        shared.store.add(stream);
        tracing::info!(stream = %name, fragments = count, "kept from before");
    }
    Ok(())
}

fn add_stream(shared: &Shared, source: &StreamSource) -> Result<(), ServeError> {
    let name = &source.name;
    if !kvs_api::is_stream_name(name) {
        return Err(ServeError::StreamName { name: name.clone() });
    }
    let media = Media::read(&source.file).map_err(|error| ServeError::Source { stream: name.clone(), error })?;
    for chunk in &media.not_whole {
        let number = chunk.number.as_ref().map_or("unknown", |number| number.as_str());
        let size_bytes = chunk.bytes.len();
        tracing::warn!(stream = %name, file = %source.file.display(), fragment_number = number, size_bytes,
            "a chunk of the recording is not whole (no continuation token): it is not served unless a fault asks for it");
    }
    let fragments = media.chunks.len();
    let created_millis = shared.clock.now_millis();
    let account = shared.default_account.clone();
    let arn = store::arn(&shared.region, &account, name, created_millis);
    let identity = Identity { account, name: name.clone(), arn, created_millis };
    let settings = Settings { retention_hours: 24, ..Settings::default() };
    let playback = Playback::new(name, media, source.repeat, source.pace, shared.clock, shared.limits.stream_fragments);
    let stream = Stream::new(identity, settings, playback, shared.clock, &shared.limits);
    if shared.store.add(stream).is_none() {
        return Err(ServeError::Twice { name: name.clone() });
    }
    tracing::info!(stream = %name, file = %source.file.display(), fragments, "serving");
    Ok(())
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
                // Out of file handles, most likely: others have to close first.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn handle(socket: TcpStream, acceptor: Option<TlsAcceptor>, router: Router, cancel: CancellationToken) {
    let _ = socket.set_nodelay(true);
    let handle = socket2::SockRef::from(&socket).try_clone().map(|socket| ConnectionHandle(Arc::new(socket)));
    let router = match handle {
        Ok(handle) => router.layer(Extension(handle)),
        Err(_) => router,
    };
    match acceptor {
        None => serve(socket, router, cancel).await,
        Some(acceptor) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)).await {
            Ok(Ok(stream)) => serve(stream, router, cancel).await,
            Ok(Err(error)) => tracing::debug!(%error, "no TLS connection was made"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
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
            tracing::debug!(%error, "a connection ended");
        },
    }
}
