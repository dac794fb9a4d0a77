//! A local Kinesis Video Streams.
//!
//! **Contract.** Speaks the service's HTTP API for what it implements (CreateStream, ListStreams, DescribeStream,
//! GetDataEndpoint, GetMedia with every selector): same paths, shapes, limits, errors and signatures. What it serves
//! comes from files: recordings of GetMedia, whose AWS tags are kept, or any MKV, of which each cluster becomes a
//! fragment. Under `/simulator/` it says exactly what it holds, and takes faults.

mod api;
mod error;
mod fault;
mod limits;
mod media;
mod number;
mod server;
mod signature;
mod source;
mod store;
mod stream;

pub use fault::{CutHow, Fault, FaultKind};
pub use limits::Limits;
pub use server::{ServeError, Simulator, SimulatorConfig};
pub use source::{Pace, Repeat, SourceError, StreamSource};
