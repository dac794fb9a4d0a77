//! Listening, and one task a connection, all of it bounded: connections, the time for handshakes and headers, their size.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::Layer;
use tower_http::normalize_path::NormalizePathLayer;

use super::access::Peer;
use super::tls;
use crate::config::rest::RestConfig;
use crate::supervision::{Panicked, Part, catch_async, fault_point};

/// Connections of a worker at most; more wait to be accepted.
const CONNECTIONS_MAX: usize = 256;
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the head of a request may take; so long an idle connection is kept, too.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// What a connection buffers at most, the head of a request with it.
const BUFFER_MAX_BYTES: usize = 64 << 10;
/// Headers of a request at most.
const HEADERS_MAX: usize = 64;

/// Why a listener cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Its address.
    #[error("cannot listen on {address}: {error}")]
    Address {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// Its TLS.
    #[error("rest.tls: {0}")]
    Tls(String),
}

/// Listeners that accept nothing yet.
pub struct Bound {
    listeners: Vec<(TcpListener, Option<TlsAcceptor>)>,
    addresses: Vec<(SocketAddr, bool)>,
}

/// Begins to listen; nobody is answered yet.
///
/// # Errors
/// When an address or a file of TLS cannot be had.
pub async fn bind(config: &RestConfig) -> Result<Bound, ListenError> {
    let acceptor = config.tls.as_ref().map(tls::acceptor).transpose().map_err(ListenError::Tls)?;
    let mut bound = Bound { listeners: Vec::new(), addresses: Vec::new() };
    for one in &config.listeners {
        let failed = |error| ListenError::Address { address: one.address, error };
        let listener = TcpListener::bind(one.address).await.map_err(failed)?;
        bound.addresses.push((listener.local_addr().map_err(failed)?, one.tls));
        bound.listeners.push((listener, acceptor.clone().filter(|_| one.tls)));
    }
    Ok(bound)
}

impl Bound {
    /// Where it listens, as URLs.
    pub fn urls(&self) -> Vec<String> {
        let url = |&(address, tls): &(SocketAddr, bool)| format!("{}://{address}", if tls { "https" } else { "http" });
        self.addresses.iter().map(url).collect()
    }

    /// `host:port` by which others know this worker.
    pub fn worker_id(&self, config: &RestConfig) -> String {
        let address = self.addresses.first().map(|&(address, _)| address);
        let host = config.advertised_host.clone().or_else(|| {
            let ip = address?.ip();
            if !ip.is_unspecified() {
                return Some(if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() });
            }
            let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
            Some(name.trim().to_owned()).filter(|name| !name.is_empty())
        });
        let port = config.advertised_port.or(address.map(|address| address.port())).unwrap_or_default();
        format!("{}:{port}", host.unwrap_or_else(|| "localhost".to_owned()))
    }

    /// Answers until it is stopped. What is returned comes to its end, with the reason, when a listener panics: without
    /// one the worker cannot be asked anything.
    pub fn serve(self, router: Router, stop: &CancellationToken) -> mpsc::Receiver<Panicked> {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let (ended, ends) = mpsc::channel(self.listeners.len().max(1));
        for (listener, acceptor) in self.listeners {
            let accepting = accept(listener, acceptor, router.clone(), Arc::clone(&room), stop.clone());
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
    room: Arc<Semaphore>,
    stop: CancellationToken,
) {
    loop {
        fault_point(Part::Rest);
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let socket = match accepted {
            Ok((socket, _)) => socket,
            Err(error) => {
                // No more files to be had, or a connection that was gone at once.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, acceptor, stop) = (router.clone(), acceptor.clone(), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                () = stop.cancelled() => {}
                () = connection(socket, acceptor, router) => {}
            }
        });
    }
}

async fn connection(socket: TcpStream, acceptor: Option<TlsAcceptor>, router: Router) {
    let _ = socket.set_nodelay(true);
    let Some(acceptor) = acceptor else { return serve(socket, router, Peer::default()).await };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(socket)).await {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            let certificate = certificates.and_then(|certificates| certificates.first()).map(|first| {
                // A certificate without a name is somebody all the same, and no admin by name.
                tls::common_name(first).unwrap_or_default()
            });
            serve(stream, router, Peer { certificate }).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn serve(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router, peer: Peer) {
    // Some clients write a slash behind a path, and a Kafka Connect worker does not mind.
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
