//! A local Amazon Kinesis Video Streams for development and tests.
//!
//! **Contract.** The simulator speaks the service's HTTP API with the same paths, shapes, limits, errors and signatures:
//! streams and their tags, data endpoints, GetMedia with every selector, PutMedia with its acknowledgements, ListFragments
//! and GetMediaForFragmentList. It serves what producers send and what files hold: recordings of GetMedia, whose AWS tags
//! are kept, or any MKV file, of which each cluster becomes a fragment with its bytes unaltered. Under `/simulator/` it
//! lists exactly what it holds, and accepts faults.
//!
//! Modules depend on each other in one direction only, in this order:
//!
//! | layer | modules | purpose |
//! |---|---|---|
//! | ground | `clock`, `files`, `limits`, `connection` | time, bounded reading of files, the service's limits, a request's socket |
//! | model | `model` | streams, their fragments, files played into them; no HTTP |
//! | store | `store` | the streams of all accounts, and their copy on disk |
//! | rules | `error`, `signature`, `call_limits`, `fault`, `faults` | who may call what and how often; what goes wrong on purpose |
//! | sessions | `session` | the bodies of GetMedia, GetMediaForFragmentList and PutMedia |
//! | API | `api` | the gate for all operations, and the operations |
//! | server | `server` | settings, TLS, connections |

mod api;
mod call_limits;
mod clock;
mod connection;
mod error;
mod fault;
mod faults;
mod files;
mod limits;
mod model;
mod server;
mod session;
mod signature;
mod store;

pub use fault::{CutHow, ErrorTagNames, Fault, FaultError, FaultKind};
pub use limits::Limits;
pub use model::{Pace, Repeat, SourceError, StreamSource};
pub use server::{DEFAULT_ACCOUNT, ServeError, Simulator, SimulatorConfig, Tls, TlsError};
pub use signature::AccessKey;
pub use store::DataError;
