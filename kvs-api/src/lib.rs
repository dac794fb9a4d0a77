//! The operations of Amazon Kinesis Video Streams, as its public service models give them.
//!
//! **Contract.** An [`Operation`] has the name, the path and the request members of the API; [`Operation::check`]
//! finds everything in a request's JSON that the service would refuse: missing members, wrong types, lengths, ranges,
//! patterns, enumerations, and companions of a start selector that are missing or superfluous. The client checks what
//! it sends, the simulator what it gets.

mod check;
mod operation;
mod selector;
mod shape;
mod stream_name;

pub use check::Violation;
pub use operation::Operation;
pub use stream_name::is_stream_name;
