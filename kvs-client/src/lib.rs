#![doc = include_str!("../README.md")]
//! # Contract
//!
//! A [`Puller`] yields the fragments of one stream in order, each once during its life, from a start selector or after
//! a position, whatever the service and the network do. A session that ends, cleanly or not, within a fragment or
//! between two, is followed by another one from the last complete fragment, within the service's limits on calls. A
//! part of a fragment is never yielded as a complete one. Every [`Error`] has an [`ErrorClass`], which says what to do
//! about it, and the request id if there is one. Memory is bounded by a [`MemoryBudget`].
//!
//! # Modules
//!
//! Each module only uses those before it (`tests/module_order.rs` checks this list):
//!
//! `shown`, `files`, `stream_ref`, `selector`, `clock`, `observe`, `throttle`, `budget`, `raw`, `resume`, `error`, `retry`,
//! `endpoint`, `credentials`, `config`, `http_client`, `client`, `session`, `pull`, `archive`, `puller`
#![warn(clippy::disallowed_methods)]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

#[cfg(feature = "archive")]
mod archive;
mod budget;
mod client;
mod clock;
mod config;
mod credentials;
mod endpoint;
mod error;
pub mod files;
mod http_client;
mod observe;
mod pull;
mod puller;
mod raw;
mod resume;
mod retry;
mod selector;
mod session;
mod shown;
mod stream_ref;
mod throttle;

#[cfg(feature = "archive")]
pub use archive::{ArchiveBounds, ArchiveLister, ArchivePuller, ArchiveRange, Archived, Progress};
pub use budget::{MemoryBudget, MemoryPermit};
#[cfg(feature = "archive")]
pub use client::FragmentInfo;
pub use client::{Client, StreamInfo};
pub use config::{ClientConfig, HttpConfig};
pub use credentials::{CredentialsSource, Role};
pub use endpoint::rules::check as check_endpoint;
pub use error::{
    AnswerError, ConfigError, CredentialsError, EndpointError, Error, ErrorClass, ServiceError, Subject, TransportError,
};
pub use kvs_api::{Operation, Violation};
pub use kvs_mkv::{Continuity, Fragment, FragmentNumber, LimitKind, Limits, Timestamp, Track};
pub use observe::{CallObserver, CallReport, LogCalls};
pub use pull::{IdlePolicy, PassedOver, PulledFragment, PullerConfig};
pub use puller::{Pulled, Puller};
pub use raw::RawChunk;
pub use resume::{PositionLost, StreamPosition};
pub use retry::{RetryPolicy, RetryState};
pub use selector::StartSelector;
pub use shown::{is_harmless, shown, shown_bytes, shown_up_to, with_causes};
pub use stream_ref::{BadStream, StreamRef};
pub use throttle::CallLimits;
