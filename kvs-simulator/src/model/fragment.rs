//! Fragments that a stream holds.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use kvs_mkv::{FragmentNumber, LeadingTags, Timestamp, TrailingTags};
use num_bigint::BigUint;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::media::{Template, writer};

/// The value of a fragment's AWS_KINESISVIDEO_MILLIS_BEHIND_NOW.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MillisBehindNow {
    /// Always the same: as recorded, or the duration of what follows in the file.
    Fixed(i64),
    /// The time from this fragment to the stream's latest.
    Live,
}

/// A fragment that has been ingested.
#[derive(Debug)]
pub(crate) struct StoredFragment {
    pub(crate) number: FragmentNumber,
    pub(crate) token: String,
    pub(crate) server_millis: i64,
    pub(crate) producer_millis: i64,
    pub(crate) duration_millis: i64,
    /// When the fragment was ingested, by the simulator's clock. Retention counts from here.
    pub(crate) ingested_millis: i64,
    pub(crate) behind: MillisBehindNow,
    /// The number as an integer.
    pub(crate) value: BigUint,
    pub(crate) template: Arc<Template>,
    /// Whether the chunk is served as recorded, with its own tags.
    pub(crate) as_recorded: bool,
    /// SHA-256 and size of the chunk; computed when first asked for.
    pub(crate) digest: OnceLock<(String, u64)>,
}

/// One row of `/simulator/streams/NAME/fragments`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FragmentRow {
    fragment_number: String,
    sha256: String,
    size_bytes: u64,
    server_timestamp_ms: i64,
    producer_timestamp_ms: i64,
    continuation_token: String,
}

impl StoredFragment {
    /// Returns the chunk as GetMedia sends it, in pieces that are shared and not copied. `latest_millis` is the server time
    /// of the stream's latest fragment.
    pub(crate) fn pieces(&self, latest_millis: i64) -> Vec<Bytes> {
        if let (true, Some(recorded)) = (self.as_recorded, &self.template.recorded) {
            return vec![recorded.bytes.clone()];
        }
        let millis_behind_now = match self.behind {
            MillisBehindNow::Fixed(millis) => millis,
            MillisBehindNow::Live => (latest_millis - self.server_millis).max(0),
        };
        let tags = TrailingTags { millis_behind_now, continuation_token: self.token.clone() };
        self.assemble(writer().trailing_tags(&tags))
    }

    /// Returns the chunk as GetMediaForFragmentList sends it: without trailing AWS tags.
    pub(crate) fn archived_pieces(&self) -> Vec<Bytes> {
        self.assemble(Vec::new())
    }

    /// Returns the name of the fragment's file on disk.
    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}.mkv", self.ingested_millis, self.number)
    }

    /// Returns the size of the archived chunk, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.archived_pieces().iter().map(Bytes::len).sum()
    }

    fn assemble(&self, trailing: Vec<u8>) -> Vec<Bytes> {
        let leading = writer().leading_tags(&LeadingTags {
            number: self.number.clone(),
            server_timestamp: Timestamp::from_millis(self.server_millis),
            producer_timestamp: Timestamp::from_millis(self.producer_millis),
        });
        let [head, media, tail] = self.template.parts.clone();
        let pieces = [head, Bytes::from(leading), media, Bytes::from(trailing), tail];
        pieces.into_iter().filter(|piece| !piece.is_empty()).collect()
    }

    /// Returns when the fragment's media ends if it starts at this time.
    pub(crate) fn end_millis(&self, start_millis: i64) -> i64 {
        start_millis + self.duration_millis.max(1)
    }

    /// Returns the row that tests compare with. The digest is that of the chunk at the live edge.
    pub(crate) fn row(&self) -> FragmentRow {
        let (sha256, size_bytes) = self
            .digest
            .get_or_init(|| {
                let mut hash = Sha256::new();
                let mut size_bytes = 0;
                for piece in self.pieces(self.server_millis) {
                    hash.update(&piece);
                    size_bytes += piece.len() as u64;
                }
                let hex = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
                (hex, size_bytes)
            })
            .clone();
        FragmentRow {
            fragment_number: self.number.as_str().to_owned(),
            sha256,
            size_bytes,
            server_timestamp_ms: self.server_millis,
            producer_timestamp_ms: self.producer_millis,
            continuation_token: self.token.clone(),
        }
    }
}
