//! Listening, and one task a connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api;
use crate::fault::{Fault, Faults};
use crate::limits::Limits;
use crate::signature::Key;
use crate::source::{Media, SourceError, StreamSource};
use crate::store::{self, Store};
use crate::stream::{Stream, now_millis};

/// What a simulator is to serve.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// Address to listen on; port 0 is any free one.
    pub listen: String,
    /// URL that GetDataEndpoint answers, when others reach it by another name than the address it listens on.
    pub advertise: Option<String>,
    /// Region in the ARNs.
    pub region: String,
    /// Access keys that may sign, with their secrets.
    pub keys: Vec<(String, String)>,
    /// Streams and their files.
    pub streams: Vec<StreamSource>,
    /// The service's limits.
    pub limits: Limits,
    /// Faults from the start.
    pub faults: Vec<Fault>,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            advertise: None,
            region: "us-east-1".to_owned(),
            keys: vec![("test".to_owned(), "test".to_owned())],
            streams: Vec::new(),
            limits: Limits::default(),
            faults: Vec::new(),
        }
    }
}

/// Why a simulator cannot be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        error: std::io::Error,
    },
    /// A stream's file cannot be played.
    #[error("stream {stream}: {error}")]
    Source {
        /// The stream.
        stream: String,
        /// Why.
        error: SourceError,
    },
    /// A stream's name is not one the service takes.
    #[error("{name:?} is no stream name: 1 to 256 characters of [a-zA-Z0-9_.-] are")]
    StreamName {
        /// The name.
        name: String,
    },
    /// Two streams have one name.
    #[error("stream {name} is given twice")]
    Twice {
        /// The name.
        name: String,
    },
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) url: String,
    pub(crate) region: String,
    pub(crate) keys: Vec<Key>,
    pub(crate) limits: Limits,
    pub(crate) store: Store,
    pub(crate) faults: Faults,
}

/// A running simulator. It ends when it is dropped or stopped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
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
        let keys = config.keys.into_iter().map(|(id, secret)| Key { id, secret }).collect();
        let shared = Arc::new(Shared {
            url: config.advertise.unwrap_or_else(|| format!("http://{address}")),
            region: config.region,
            keys,
            limits: config.limits,
            store: Store::default(),
            faults: Faults::default(),
        });
        for fault in config.faults {
            shared.faults.add(fault);
        }
        for source in config.streams {
            add_stream(&shared, &source)?;
        }
        let (cancel, tasks) = (CancellationToken::new(), TaskTracker::new());
        let router = api::router(Arc::clone(&shared));
        tasks.spawn(accept(listener, router, cancel.clone(), tasks.clone()));
        tasks.close();
        Ok(Self { address, shared, cancel, tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://address`, as `kvs.endpoint` takes it.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Adds a stream while running.
    ///
    /// # Errors
    /// When the file cannot be played or the name is taken.
    pub fn add_stream(&self, source: &StreamSource) -> Result<(), ServeError> {
        add_stream(&self.shared, source)
    }

    /// Adds a fault while running.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.faults.add(fault);
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

fn add_stream(shared: &Shared, source: &StreamSource) -> Result<(), ServeError> {
    let name = &source.name;
    if !store::valid_name(name) {
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
    let arn = store::arn(&shared.region, name, now_millis());
    let stream = Stream::new(name, arn, media, source.repeat, source.pace, &shared.limits);
    if !shared.store.add(stream) {
        return Err(ServeError::Twice { name: name.clone() });
    }
    tracing::info!(stream = %name, file = %source.file.display(), fragments, "serving");
    Ok(())
}

async fn accept(listener: TcpListener, router: Router, cancel: CancellationToken, tasks: TaskTracker) {
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                tasks.spawn(serve(socket, router.clone(), cancel.clone()));
            }
            Err(error) => {
                // Out of file handles, most likely: others have to close first.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn serve(socket: TcpStream, router: Router, cancel: CancellationToken) {
    let _ = socket.set_nodelay(true);
    let handle = socket2::SockRef::from(&socket).try_clone().map(|socket| ConnectionHandle(Arc::new(socket)));
    let router = match handle {
        Ok(handle) => router.layer(Extension(handle)),
        Err(_) => router,
    };
    let service = TowerToHyperService::new(router);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(60));
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    tokio::select! {
        () = cancel.cancelled() => {}
        result = connection => if let Err(error) = result {
            tracing::debug!(%error, "a connection ended");
        },
    }
}
