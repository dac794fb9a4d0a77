//! What is kept of a fragment that is skipped.

use kvs_client::Timestamp;
use kvs_mkv::FragmentNumber;

/// A fragment that is skipped.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetter<'a> {
    /// What was being done: `parse`, `encode`, `route`, `tracks`, `size` or `frames`.
    pub stage: &'static str,
    /// What is wrong with the fragment.
    pub reason: &'a str,
    /// The fragment's number.
    pub number: &'a FragmentNumber,
    /// When the service received the fragment.
    pub server_timestamp: Option<Timestamp>,
    /// When the producer made the fragment.
    pub producer_timestamp: Option<Timestamp>,
    /// The fragment's bytes, or the beginning of them.
    pub bytes: &'a [u8],
    /// How many bytes the fragment has; `None`: more than these, but it is not known how many.
    pub size_bytes: Option<u64>,
    /// The media type of the bytes.
    pub content_type: &'a str,
}
