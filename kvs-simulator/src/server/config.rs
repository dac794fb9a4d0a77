//! The settings of a simulator, and the reasons why it cannot be started.

use std::path::PathBuf;

use super::tls::{Tls, TlsError};
use crate::fault::Fault;
use crate::limits::Limits;
use crate::model::{SourceError, StreamSource};
use crate::signature::AccessKey;
use crate::store::DataError;

/// The account of access keys that name none.
pub const DEFAULT_ACCOUNT: &str = "123456789012";

/// The settings of a simulator.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// Address to listen on; port 0 takes any free port.
    pub listen: String,
    /// URL that GetDataEndpoint returns, if clients reach the simulator by another name than the address it listens on.
    pub advertise: Option<String>,
    /// TLS; plain HTTP if left out.
    pub tls: Option<Tls>,
    /// Region in the ARNs and in signatures.
    pub region: String,
    /// Access keys that may sign. The first one's account has the streams that are played from files.
    pub keys: Vec<AccessKey>,
    /// Streams to play from files.
    pub streams: Vec<StreamSource>,
    /// The service's limits.
    pub limits: Limits,
    /// Faults from the start.
    pub faults: Vec<Fault>,
    /// Seed of the faults' probabilities. The same seed repeats a run.
    pub seed: u64,
    /// How far the simulator's clock is ahead of the machine's, in milliseconds.
    pub clock_offset_ms: i64,
    /// Folder that keeps created streams, and what producers send to them, over a restart.
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

/// Why a simulator cannot be started, or a stream cannot be added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// Why it cannot be listened on.
        source: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The data folder cannot be read.
    #[error("the streams in {folder} cannot be read: {source}")]
    Data {
        /// The folder.
        folder: PathBuf,
        /// Why it cannot be read.
        source: DataError,
    },
    /// A stream's file cannot be played.
    #[error("stream {stream}: {source}")]
    Source {
        /// Name of the stream.
        stream: String,
        /// Why its file cannot be played.
        source: SourceError,
    },
    /// The service would not accept the stream's name.
    #[error("{name:?} is not a stream name: 1 to 256 characters of [a-zA-Z0-9_.-] are expected")]
    StreamName {
        /// The name.
        name: String,
    },
    /// Two streams have the same name.
    #[error("there is already a stream {name}, given by another option or in the data folder")]
    Twice {
        /// The name.
        name: String,
    },
}
