//! Listeners, with one task per connection and bounds on everything: connections in total and per peer ([`super::places`]),
//! the time for handshakes and headers, the size of headers, and how long a response may stay unread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Layer;
use tower_http::normalize_path::NormalizePathLayer;

use super::access::{self, Peer};
use super::places::Places;
use super::reserve::{Connection, Reserve};
use super::{origin, tls};
use crate::config::rest::RestConfig;
use crate::herder::turns::AT_WORK_MAX;
use crate::open_files::{self, is_out_of_files};
use crate::supervision::{Panicked, Part, catch_async, fault_point};
use crate::telemetry;

/// The maximum number of connections of a worker.
const CONNECTIONS_MAX: usize = 256;
/// The maximum number of one peer's connections; all clients behind a proxy are one peer.
const CONNECTIONS_OF_PEER_MAX: usize = 128;
// Whatever one peer requests, some of its connections wait for it and can make room for its next one.
const _: () = assert!(AT_WORK_MAX + access::CHECKS_AT_ONCE_MAX < CONNECTIONS_OF_PEER_MAX);
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the head of a request may take, and how long an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may read nothing of what is written to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// The maximum size of a connection's buffer, including the head of a request.
const BUFFER_MAX_BYTES: usize = 64 << 10;
/// How long a connection may last that was accepted with a reserved descriptor.
const RESERVE_TIMEOUT: Duration = Duration::from_secs(2);
/// The interval at which missing reserved descriptors are opened again.
const REFILL_EVERY: Duration = Duration::from_millis(100);
/// The maximum number of headers of a request.
const HEADERS_MAX: usize = 64;

/// Reasons why a listener cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Its address cannot be used.
    #[error("cannot listen on {address}: {error}{}", listen_advice(error))]
    Address {
        /// The address.
        address: SocketAddr,
        /// The error.
        error: std::io::Error,
    },
    /// No file descriptors can be reserved.
    #[error("no file descriptors are left for the REST API; raise the limit (ulimit -n): {0}")]
    Descriptors(#[source] std::io::Error),
    /// Its TLS files cannot be used.
    #[error("rest.tls: {0}")]
    Tls(#[source] tls::TlsError),
}

fn listen_advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another worker or program is listening there: give this worker its own address (listeners)"
        }
        std::io::ErrorKind::AddrNotAvailable => "; this machine has no such address: see listeners",
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need privileges: see listeners",
        _ => "",
    }
}

/// Listeners that do not accept connections yet.
pub struct Bound {
    listeners: Vec<(TcpListener, Option<TlsAcceptor>)>,
    addresses: Vec<(SocketAddr, bool)>,
    reserve: Arc<Reserve>,
}

/// Binds the listeners; no connection is accepted yet.
///
/// # Errors
/// When an address or a TLS file cannot be used.
pub async fn bind(config: &RestConfig) -> Result<Bound, ListenError> {
    let acceptor = config.tls.as_ref().map(tls::acceptor).transpose().map_err(ListenError::Tls)?;
    let reserve = Reserve::new().map_err(ListenError::Descriptors)?;
    let mut bound = Bound { listeners: Vec::new(), addresses: Vec::new(), reserve };
    for one in &config.listeners {
        let failed = |error| ListenError::Address { address: one.address, error };
        let listener = TcpListener::bind(one.address).await.map_err(failed)?;
        bound.addresses.push((listener.local_addr().map_err(failed)?, one.tls));
        bound.listeners.push((listener, acceptor.clone().filter(|_| one.tls)));
    }
    Ok(bound)
}

impl Bound {
    /// Returns the URLs of the listeners.
    pub fn urls(&self) -> Vec<String> {
        let url = |&(address, tls): &(SocketAddr, bool)| format!("{}://{address}", if tls { "https" } else { "http" });
        self.addresses.iter().map(url).collect()
    }

    /// Returns the `host:port` by which other workers know this one.
    pub fn worker_id(&self, config: &RestConfig) -> String {
        let address = self.addresses.first().map(|&(address, _)| address);
        let host = config.advertised_host.clone().or_else(|| {
            let ip = address?.ip();
            if !ip.is_unspecified() {
                return Some(if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() });
            }
            origin::machine_name()
        });
        let port = config.advertised_port.or(address.map(|address| address.port())).unwrap_or_default();
        format!("{}:{port}", host.unwrap_or_else(|| "localhost".to_owned()))
    }

    /// Serves requests until it is stopped. The returned channel yields the reason when a listener panics, because
    /// without a listener the worker cannot be reached.
    pub fn serve(self, router: Router, stop: &CancellationToken) -> mpsc::Receiver<Panicked> {
        let places = Places::new(CONNECTIONS_MAX, CONNECTIONS_OF_PEER_MAX);
        let (ended, ends) = mpsc::channel(self.listeners.len().max(1));
        for (listener, acceptor) in self.listeners {
            let (places, reserve) = (Arc::clone(&places), Arc::clone(&self.reserve));
            let accepting = accept(listener, acceptor, router.clone(), places, reserve, stop.clone());
            let ended = ended.clone();
            tokio::spawn(async move {
                if let Err(panicked) = catch_async(Part::Rest, accepting).await {
                    let _ = ended.try_send(panicked);
                }
            });
        }
        ends
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    places: Arc<Places>,
    reserve: Arc<Reserve>,
    stop: CancellationToken,
) {
    // Each lasting condition is logged once.
    let (mut fails, mut is_full) = (false, false);
    let mut is_reserve_full = true;
    loop {
        fault_point(Part::Rest);
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(REFILL_EVERY), if !is_reserve_full => {
                is_reserve_full = reserve.fill();
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_out_of_files(&error) => {
                open_files::refused();
                is_reserve_full = false;
                if !reserve.release() {
                    tokio::time::sleep(REFILL_EVERY).await;
                    reserve.fill();
                }
                continue;
            }
            Err(error) => {
                // The connection was closed at once.
                if !std::mem::replace(&mut fails, true) {
                    tracing::warn!(%error, "cannot accept a connection to the REST API; trying again");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        fails = false;
        is_reserve_full = reserve.fill();
        let Some((place, close)) = places.take(peer.ip()) else {
            telemetry::rest_connection_closed("no_place");
            if !std::mem::replace(&mut is_full, true) {
                tracing::warn!(%peer, "all connections to the REST API are working, and no more are accepted for now");
            }
            continue;
        };
        is_full = false;
        let _ = socket.set_nodelay(true);
        let (router, acceptor, stop) = (router.clone(), acceptor.clone(), stop.clone());
        // The last descriptors serve one request after another, so each is given back soon.
        let limit = if is_reserve_full { Duration::MAX } else { RESERVE_TIMEOUT };
        let socket = Connection::new(socket, Arc::clone(&reserve));
        // A panic, which is counted and logged, closes the connection; requests catch their own.
        tokio::spawn(catch_async(Part::Request, async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = close.cancelled() => {}
                () = tokio::time::sleep(limit) => {}
                () = connection(socket, acceptor, router.layer(Extension(place))) => {}
            }
        }));
    }
}

async fn connection(socket: Connection, acceptor: Option<TlsAcceptor>, router: Router) {
    let mut socket = TimeoutStream::new(socket);
    socket.set_write_timeout(Some(WRITE_TIMEOUT));
    let socket = Box::pin(socket);
    let Some(acceptor) = acceptor else { return serve(socket, router, Peer::default()).await };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let certificate = certificates.and_then(|certificates| certificates.first()).map(|first| {
                // A certificate without a name identifies a user nevertheless, but no admin by name.
                tls::common_name(first).unwrap_or_default()
            });
            serve(stream, router, Peer { certificate }).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn serve(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router, peer: Peer) {
    // Some clients append a slash to the path, which a Kafka Connect worker accepts.
    let router = NormalizePathLayer::trim_trailing_slash().layer(router.layer(Extension(peer)));
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER_MAX_BYTES)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(socket), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}
