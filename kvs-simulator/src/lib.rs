//! A local Kinesis Video Streams.
//!
//! **Contract.** Speaks the service's HTTP API: streams and their tags, data endpoints, GetMedia with every selector,
//! PutMedia with its acknowledgements, ListFragments and GetMediaForFragmentList: same paths, shapes, limits, errors
//! and signatures. What it serves is sent by producers, or comes from files: recordings of GetMedia, whose AWS tags are
//! kept, or any MKV, of which each cluster becomes a fragment, its bytes unaltered. Under `/simulator/` it says exactly what it holds, and
//! takes faults.

mod api;
mod archive;
mod call_limits;
mod clock;
mod disk;
mod error;
mod fault;
mod faulty_body;
mod files;
mod ingest;
mod limits;
mod media;
mod number;
mod replace;
mod server;
mod signature;
mod source;
mod store;
mod stream;

pub use fault::{CutHow, ErrorTagNames, Fault, FaultKind};
pub use limits::Limits;
pub use server::{DEFAULT_ACCOUNT, ServeError, Simulator, SimulatorConfig, Tls, TlsError};
pub use signature::AccessKey;
pub use source::{Pace, Repeat, SourceError, StreamSource};
