//! The end of a session whose media cannot be split: what is known of the broken fragment, and its bytes.

use std::time::{Duration, Instant};

use kvs_mkv::{CHUNK_START_MAX_BYTES, ErrorKind, Payload, find_chunk};

use super::{Read, Session};
use crate::error::Error;
use crate::raw::RawChunk;

/// How long the next bytes of a broken chunk are waited for. At the live edge they come as fast as they are filmed.
const NEXT_BYTES_AWAITED: Duration = Duration::from_secs(10);

impl Session {
    /// Returns the error of the session, which is over, with the bytes of the broken fragment if they are wanted.
    pub(super) async fn media_error(&mut self, error: kvs_mkv::Error) -> Error {
        let mut broken = Box::new(self.splitter.take_broken().unwrap_or_default());
        let payload = std::mem::take(&mut broken.payload);
        // A fragment without a number is not skipped, unless it is the one that was requested.
        let has_number = broken.number.is_some() || self.ends_with_body;
        let is_too_large = broken.number.is_some() && matches!(error.kind(), ErrorKind::TooLarge { .. });
        let is_skipped = is_too_large || (self.raw.is_last_attempt && has_number);
        let raw = match self.raw.max_bytes > 0 && is_skipped {
            true => self.read_raw(payload).await,
            false => RawChunk::default(),
        };
        let (subject, request_id) = (self.subject.clone(), self.media.request_id.clone());
        Error::Media { subject, error, broken, raw: Box::new(raw), request_id }
    }

    /// Reads on to the next chunk, or until there are as many bytes as are wanted, or no more come.
    async fn read_raw(&mut self, payload: Payload) -> RawChunk {
        let max_bytes = self.raw.max_bytes;
        // The start of a chunk that begins right after what is wanted shows where this one ends.
        let looked_at = max_bytes.saturating_add(CHUNK_START_MAX_BYTES);
        let mut bytes = payload.get(..payload.len().min(looked_at)).unwrap_or_default().to_vec();
        drop(payload);
        let began = Instant::now();
        let mut from = 1;
        let size = loop {
            let room = looked_at.saturating_sub(bytes.len());
            bytes.extend(self.piece.split_to(room.min(self.piece.len())));
            if let Some(end) = find_chunk(&bytes, from) {
                break Some(end);
            }
            if bytes.len() >= looked_at {
                break None;
            }
            from = bytes.len().saturating_sub(CHUNK_START_MAX_BYTES).max(1);
            let within = NEXT_BYTES_AWAITED.min(self.fragment_timeout.saturating_sub(began.elapsed()));
            match tokio::time::timeout(within, self.read()).await {
                Ok(Ok(Read::Piece(piece))) => {
                    self.claim.extend(piece.len()).await;
                    self.received_bytes += piece.len() as u64;
                    self.piece = piece;
                }
                Ok(Ok(Read::End)) if self.ends_with_body => break Some(bytes.len()),
                // What has come is better than nothing.
                _ => break None,
            }
        };
        bytes.truncate(size.unwrap_or(max_bytes).min(max_bytes));
        bytes.shrink_to_fit();
        let permit = self.claim.split(bytes.len(), 0);
        RawChunk { bytes, size_bytes: size.map(|size| size as u64), permit }
    }
}
