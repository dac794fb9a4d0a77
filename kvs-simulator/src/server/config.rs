//! What a simulator is started with, and why it may not start.

use std::path::PathBuf;

use super::tls::{Tls, TlsError};
use crate::fault::Fault;
use crate::limits::Limits;
use crate::signature::AccessKey;
use crate::source::{SourceError, StreamSource};

/// The account of keys that are given without one.
pub const DEFAULT_ACCOUNT: &str = "123456789012";

/// What a simulator is to serve.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// Address to listen on; port 0 is any free one.
    pub listen: String,
    /// URL that GetDataEndpoint answers, when others reach it by another name than the address it listens on.
    pub advertise: Option<String>,
    /// TLS, when it is wanted.
    pub tls: Option<Tls>,
    /// Region in the ARNs.
    pub region: String,
    /// Access keys that may sign; the first one's account has the streams that are played from files.
    pub keys: Vec<AccessKey>,
    /// Streams and their files.
    pub streams: Vec<StreamSource>,
    /// The service's limits.
    pub limits: Limits,
    /// Faults from the start.
    pub faults: Vec<Fault>,
    /// What chance goes by: the same for a run that is to be repeated.
    pub seed: u64,
    /// By how much the simulator's clock is ahead, in milliseconds.
    pub clock_offset_ms: i64,
    /// Where streams that are created, and what producers send to them, are kept over a restart.
    pub data: Option<PathBuf>,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            advertise: None,
            tls: None,
            region: "us-east-1".to_owned(),
            keys: vec![AccessKey::new("test", "test", DEFAULT_ACCOUNT)],
            streams: Vec::new(),
            limits: Limits::default(),
            faults: Vec::new(),
            seed: 0,
            clock_offset_ms: 0,
            data: None,
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
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What was kept cannot be read.
    #[error("the streams in {folder} cannot be read: {error}")]
    Data {
        /// The folder.
        folder: PathBuf,
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
    #[error("stream {name} is given twice, or is one of those that were kept")]
    Twice {
        /// The name.
        name: String,
    },
}
