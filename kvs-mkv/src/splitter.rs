//! The incremental splitter.
//!
//! **Contract.** [`Splitter::push`] takes bytes in pieces of any size and returns events, the same events however the
//! bytes were cut. The splitter walks elements and never searches for magic bytes. It skips the content it does not
//! need: a SimpleBlock costs its header, not its length. Each byte of a payload is copied once, from the pushed piece
//! into the payload's buffer, in runs as long as the piece allows.
//!
//! A chunk ends after its trailing AWS tags, because the service writes them last; a Segment of known size that extends
//! beyond them is read to its end. The end of a response does not prove that the last fragment is complete: connections
//! are closed cleanly in the middle of fragments, too.

mod chunk;
mod event;
mod state;
mod walk;
mod window;
mod with_tracks;

use crate::ebml::{self, HEADER_MAX_BYTES};
use crate::elements::id;
use crate::error::{Error, ErrorKind};
use crate::fragment::{Broken, Document};
use crate::limits::{LimitKind, Limits};
use crate::number::FragmentNumber;
use crate::payload::Payload;
use crate::payload_pool::PayloadPool;

use chunk::Chunk;
pub use event::{Completion, End, Event};
use state::{State, Step};
use window::join;
pub use with_tracks::TracksError;

/// Splits a response body into fragments; see the [crate's documentation](crate).
#[derive(Debug)]
pub struct Splitter {
    limits: Limits,
    completion: Completion,
    headroom_bytes: usize,
    pool: Option<PayloadPool>,
    /// Stream offset of the current chunk's first byte.
    chunk_offset: u64,
    /// The bytes of the current chunk copied so far.
    payload: Payload,
    /// Offset in the chunk of the next element to look at, possibly beyond the bytes received.
    at: usize,
    state: State,
    chunk: Chunk,
    /// Capacity for the next payload. Follows what recent payloads needed and never what a size field claims.
    capacity_hint_bytes: usize,
    tracks_cache: chunk::TracksCache,
    /// Bytes still to be discarded of an element between two chunks.
    discard_bytes: u64,
    /// Bytes discarded since the last chunk.
    discarded_bytes: u64,
    /// What was known of the chunk in which the last error occurred.
    broken: Option<Broken>,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new(Limits::default(), Completion::Token)
    }
}

impl Splitter {
    /// Creates a splitter at the start of a stream.
    pub fn new(limits: Limits, completion: Completion) -> Self {
        Self {
            limits,
            completion,
            headroom_bytes: 0,
            pool: None,
            chunk_offset: 0,
            payload: Payload::default(),
            at: 0,
            state: State::Start,
            chunk: Chunk::default(),
            capacity_hint_bytes: 0,
            tracks_cache: chunk::TracksCache::default(),
            discard_bytes: 0,
            discarded_bytes: 0,
            broken: None,
        }
    }

    /// Reserves this many bytes in front of each payload; see [`Payload::into_prefixed`].
    #[must_use]
    pub fn with_headroom(mut self, headroom_bytes: usize) -> Self {
        self.headroom_bytes = headroom_bytes;
        self
    }

    /// Takes the buffers of payloads from this pool, to which they return when a payload is dropped.
    #[must_use]
    pub fn with_pool(mut self, pool: PayloadPool) -> Self {
        self.pool = Some(pool);
        self
    }

    /// Consumes bytes from the front of `input` until there is an event, or returns `Ok(None)` when all are consumed.
    ///
    /// # Errors
    /// Returns an error if the bytes are malformed or exceed a limit. The current chunk is dropped, and the splitter is
    /// ready for a new stream; [`Self::take_broken`] returns what is known of the dropped chunk.
    pub fn push(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Error> {
        let chunk_offset = self.chunk_offset;
        let result = self.walk(input);
        if result.is_err() {
            self.note_broken(chunk_offset);
            self.reset();
        }
        result
    }

    /// Ends the input cleanly and makes the splitter ready for a new stream.
    ///
    /// # Errors
    /// Returns an error if the end completes a chunk that has no fragment number.
    pub fn finish(&mut self) -> Result<End, Error> {
        let chunk_offset = self.chunk_offset;
        let end = self.take_end();
        if end.is_err() {
            self.note_broken(chunk_offset);
        }
        self.reset();
        end
    }

    /// Returns what had been read of the chunk in which the last error occurred. A second call returns `None`.
    pub fn take_broken(&mut self) -> Option<Broken> {
        self.broken.take()
    }

    /// Remembers the current chunk for [`Self::take_broken`]. `offset` is the stream offset of a chunk that has already
    /// ended.
    fn note_broken(&mut self, offset: u64) {
        let has_ended = self.state == State::Between;
        let offset = if has_ended { offset } else { self.chunk_offset };
        let payload = if has_ended { Payload::default() } else { std::mem::take(&mut self.payload) };
        self.broken = Some(std::mem::take(&mut self.chunk).into_broken(offset, payload));
    }

    /// Reads a complete MKV file that does not have the service's tags: tracks, clusters and frames.
    ///
    /// # Errors
    /// Returns an error if the file is malformed, exceeds a limit, or ends inside an element.
    pub fn read_document(bytes: &[u8], limits: Limits) -> Result<Document, Error> {
        let mut splitter = Self::new(limits, Completion::NextChunkOrEnd);
        splitter.push(&mut &*bytes)?;
        while splitter.leave_finished() {}
        if splitter.at != splitter.payload.len() || !splitter.is_complete() {
            let offset = splitter.payload.len() as u64;
            return Err(Error::new(ErrorKind::Truncated, id::SEGMENT, offset));
        }
        splitter.chunk.check()?;
        Ok(splitter.chunk.into_document(splitter.payload))
    }

    /// Discards the current stream and makes the splitter ready for a new one.
    pub fn reset(&mut self) {
        self.payload = Payload::default();
        self.chunk = Chunk::default();
        self.at = 0;
        self.chunk_offset = 0;
        self.state = State::Start;
        self.discard_bytes = 0;
        self.discarded_bytes = 0;
    }

    /// Returns the number of the fragment being received, once it has been read.
    pub fn current_number(&self) -> Option<&FragmentNumber> {
        self.chunk.number.as_ref()
    }

    /// Returns how many bytes of the current chunk have been received.
    pub fn current_size_bytes(&self) -> usize {
        self.payload.len()
    }

    fn take_end(&mut self) -> Result<End, Error> {
        let received_bytes = self.payload.len();
        if matches!(self.state, State::Start | State::Between) && received_bytes == 0 && self.discard_bytes == 0 {
            return Ok(End::Clean);
        }
        while self.leave_finished() {}
        self.chunk.check()?;
        let complete = self.at == received_bytes && self.is_complete();
        if complete || self.chunk.is_error() {
            return match self.end_chunk(complete)? {
                Some(event) => Ok(End::Event(event)),
                None => Ok(End::Clean),
            };
        }
        Ok(End::Cut { number: self.chunk.number.take(), received_bytes })
    }

    /// Looks at one element after another, starting at `self.at`, and steps over it or into it. Copies when the piece is
    /// used up or the chunk ends. Every iteration advances `self.at` or the state, or returns.
    fn walk(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Error> {
        loop {
            if self.state == State::Between && !self.pass_between(input)? {
                return Ok(None);
            }
            let copied = self.payload.len();
            let available = copied + input.len();
            if self.at > available || (self.at == available && !self.chunk_ends_here()) {
                self.copy(input, input.len());
                return Ok(None);
            }
            if self.chunk_ends_here() {
                self.copy(input, self.at - copied);
                return self.end_chunk(true);
            }
            match self.look(input)? {
                Step::Forward => {}
                Step::NeedMore => {
                    self.copy(input, input.len());
                    return Ok(None);
                }
                Step::NextChunk => {
                    // A few bytes of the next chunk's header may have been copied with the last piece.
                    let carried = if self.at < copied { self.payload.split_off(self.at) } else { Vec::new() };
                    self.copy(input, self.at.saturating_sub(copied));
                    let event = self.end_chunk(self.is_complete())?;
                    self.state = State::Start;
                    if !carried.is_empty() {
                        self.append(&carried);
                    }
                    if event.is_some() {
                        return Ok(event);
                    }
                }
            }
        }
    }

    /// Returns whether the chunk ends before the element at `self.at`: after its token, unless its Segment has a known size
    /// and extends further.
    fn chunk_ends_here(&self) -> bool {
        self.state == State::InSegment
            && self.completion == Completion::Token
            && self.chunk.token.is_some()
            && self.chunk.segment_end.is_none_or(|end| self.at as u64 >= end)
    }

    /// Returns whether the chunk would be a complete fragment if it ended at `self.at`.
    fn is_complete(&self) -> bool {
        match self.completion {
            Completion::Token => self.chunk.token.is_some(),
            // A Cluster of known size that is not at its end has been cut, whatever follows.
            Completion::NextChunkOrEnd => {
                matches!(self.state, State::InSegment | State::InCluster { end: None })
            }
        }
    }

    /// Returns the chunk's event, or `None` if the chunk was empty, and makes the splitter ready for the next chunk.
    fn end_chunk(&mut self, complete: bool) -> Result<Option<Event>, Error> {
        self.chunk.check()?;
        if !self.payload.is_empty() {
            self.chunk.check_number(self.chunk_offset)?;
        }
        let chunk = std::mem::take(&mut self.chunk);
        let mut payload = std::mem::take(&mut self.payload);
        payload.complete();
        let size_bytes = payload.len();
        let chunk_offset = self.chunk_offset;
        self.chunk_offset += size_bytes as u64;
        self.at = 0;
        self.state = State::Between;
        self.discarded_bytes = 0;
        self.capacity_hint_bytes = size_bytes.max(self.capacity_hint_bytes - self.capacity_hint_bytes / 16);
        chunk.into_event(payload, complete, chunk_offset)
    }

    /// Appends the first `count` bytes of `input` to the payload.
    fn copy(&mut self, input: &mut &[u8], count: usize) {
        let (run, rest) = input.split_at(count.min(input.len()));
        self.append(run);
        *input = rest;
    }

    fn append(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if self.payload.is_empty() {
            let spare = self.capacity_hint_bytes / 8;
            let capacity = (self.capacity_hint_bytes + spare).max(bytes.len());
            self.payload = Payload::with_capacity(self.headroom_bytes, capacity, self.pool.as_ref());
        }
        self.payload.append(bytes);
    }

    /// Skips elements between a complete chunk and the next EBML header. Returns `false` if the input is used up.
    fn pass_between(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        loop {
            let skipped = usize::try_from(self.discard_bytes).unwrap_or(usize::MAX).min(input.len());
            *input = &input[skipped..];
            self.discard_bytes -= skipped as u64;
            self.chunk_offset += skipped as u64;
            if input.is_empty() {
                return Ok(false);
            }
            let mut small = [0; HEADER_MAX_BYTES];
            let carried = self.payload.len();
            let window = join(&self.payload, input, &mut small);
            let Some(header) = ebml::read_header(window, self.chunk_offset)? else {
                self.copy(input, input.len());
                return Ok(false);
            };
            if header.id == id::EBML {
                self.state = State::Start;
                return Ok(true);
            }
            if matches!(header.id, id::CLUSTER | id::SEGMENT) {
                return Err(Error::new(ErrorKind::MediaAfterToken, header.id, self.chunk_offset));
            }
            let Some(size) = header.size_bytes else {
                return Err(Error::new(ErrorKind::UnknownSize, header.id, self.chunk_offset));
            };
            let limit = self.limits.header_size_bytes as u64;
            let total = size.saturating_add(header.length_bytes as u64);
            self.discarded_bytes = self.discarded_bytes.saturating_add(total);
            if self.discarded_bytes > limit {
                let kind =
                    ErrorKind::TooLarge { what: LimitKind::BytesBetweenChunks, actual: self.discarded_bytes, limit };
                return Err(Error::new(kind, header.id, self.chunk_offset));
            }
            self.payload = Payload::default();
            self.discard_bytes = total - carried as u64;
            self.chunk_offset += carried as u64;
        }
    }
}
