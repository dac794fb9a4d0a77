//! A fragment that a stream holds.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use kvs_mkv::{FragmentNumber, LeadingTags, Timestamp, TrailingTags};
use num_bigint::BigUint;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::source::{Template, writer};

/// How a fragment's distance to the live edge is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// As recorded, or by what the file still has: the same each time.
    Fixed(i64),
    /// From its own time to that of the latest fragment.
    Live,
}

/// A fragment that has been ingested.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) number: FragmentNumber,
    pub(crate) token: String,
    pub(crate) server_millis: i64,
    pub(crate) producer_millis: i64,
    pub(crate) takes_millis: i64,
    /// When it was ingested, by the simulator's clock: what retention counts from.
    pub(crate) ingested_millis: i64,
    pub(crate) behind: Behind,
    pub(crate) value: BigUint,
    pub(crate) template: Arc<Template>,
    pub(crate) as_recorded: bool,
    pub(crate) digest: OnceLock<(String, u64)>,
}

/// A row of `/simulator/streams/NAME/fragments`.
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

impl Held {
    /// The chunk as GetMedia sends it, in pieces that are shared and not copied. `latest_millis` is the server time of
    /// the stream's latest fragment.
    pub(crate) fn pieces(&self, latest_millis: i64) -> Vec<Bytes> {
        if let (true, Some(recorded)) = (self.as_recorded, &self.template.recorded) {
            return vec![recorded.bytes.clone()];
        }
        let millis_behind_now = match self.behind {
            Behind::Fixed(millis) => millis,
            Behind::Live => (latest_millis - self.server_millis).max(0),
        };
        let tags = TrailingTags { millis_behind_now, continuation_token: self.token.clone() };
        self.assemble(writer().trailing_tags(&tags))
    }

    /// The chunk as GetMediaForFragmentList sends it: without distance and token.
    pub(crate) fn archived_pieces(&self) -> Vec<Bytes> {
        self.assemble(Vec::new())
    }

    /// Its name on disk.
    pub(crate) fn file_name(&self) -> String {
        format!("{}-{}.mkv", self.ingested_millis, self.number)
    }

    /// Size of the archived chunk.
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

    /// When its media is over, by a clock that begins with it.
    pub(crate) fn ends_millis(&self, begins_millis: i64) -> i64 {
        begins_millis + self.takes_millis.max(1)
    }

    /// What tests compare with; the digest is of the chunk at the live edge.
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
