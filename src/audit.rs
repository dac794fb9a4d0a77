//! Compares what Kafka has of a stream with what the service's archive has.
//!
//! **Contract.** A [`StreamAudit`] is told each record of the stream once, in the order in which its topic was read, with what the
//! archive lists up to that record; it says what is missing, published twice, out of order or altered. What it remembers
//! does not grow with the number of records but with the number of faults, and that is bounded. No I/O.
//!
//! Records count by their `sequence` and fragments by their number. A stream whose records are spread over several
//! partitions has an order in each of them only: what comes late from another partition is no fault.

mod finding;
mod holes;
mod media;
mod reasons;
mod stream;

pub use finding::{Finding, FindingKind, Place};
pub use media::MediaDigest;
pub use reasons::{Reason, Reasons};
pub use stream::{Counts, Listed, Published, StreamAudit, StreamReport, TooManyMissing};
