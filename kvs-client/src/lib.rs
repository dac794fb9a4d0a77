//! Amazon Kinesis Video Streams over HTTPS: GetMedia and what it needs, yielding fragments.
//!
//! **Contract.** A [`Puller`] yields the fragments of one stream in order, each once for as long as it lives, from a
//! start selector or from the position of the last fragment, through whatever the service and the network do:
//! sessions that end, cleanly or not, in the middle of a fragment or between two, are opened again from the last
//! whole fragment, within the service's limits on calls. It never yields a part of a fragment as a whole one. Every
//! [`Error`] has a [`ErrorClass`] that says what to do, and the request id when there is one.
#![warn(clippy::disallowed_methods)]
#![cfg_attr(test, allow(clippy::disallowed_methods))]

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
mod puller;
mod resume;
mod retry;
mod selector;
mod session;
mod shown;
mod stream_ref;
mod throttle;

pub use archive::{ArchiveBounds, ArchivePuller, ArchiveRange, Archived, Progress};
pub use budget::{MemoryBudget, MemoryPermit};
pub use client::{Client, FragmentInfo, StreamInfo};
pub use config::{ClientConfig, HttpConfig, Role};
pub use credentials::CredentialsSource;
pub use endpoint::rules::check as check_endpoint;
pub use error::{Error, ErrorClass, Subject};
pub use kvs_api::{Operation, Violation};
pub use kvs_mkv::{Fragment, FragmentNumber, Limits, Timestamp, Track};
pub use observe::{CallObserver, CallReport, LogCalls};
pub use puller::{IdlePolicy, PassedOver, Pulled, PulledFragment, Puller, PullerConfig};
pub use resume::{PositionLost, StreamPosition};
pub use retry::RetryPolicy;
pub use selector::StartSelector;
pub use stream_ref::{BadStream, StreamRef};
pub use throttle::CallLimits;
