//! The operations of Amazon Kinesis Video Streams, from its public service models.
//!
//! **Contract.** An [`Operation`] has the name, the path and the request members of the API; [`Operation::check`]
//! returns everything in a request's JSON that the service would refuse: missing members, wrong types, lengths, ranges,
//! patterns, enumerations, and companions of a start selector that are missing or superfluous. A client checks what it
//! sends, a simulator what it receives.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod check;
mod operation;
mod selector;
mod shape;
mod stream_name;
mod violation;

pub use operation::Operation;
pub use stream_name::is_stream_name;
pub use violation::Violation;
