//! The incremental splitter.
//!
//! **Contract.** Bytes go in through [`Splitter::push`] in pieces of any size; events come out, the same however the
//! bytes were cut. The splitter walks elements and never searches for magic bytes. What it need not look into it
//! skips: a SimpleBlock costs its header, not its length. Each byte of a payload is copied once, from the piece that
//! was pushed into the payload's buffer, in runs as long as the piece allows.
//!
//! A chunk ends where its trailing AWS tags end, for these are its last element; a Segment of known size that goes
//! on behind them is taken to its end. The end of a response proves nothing (docs/GETMEDIA.md, "When is a fragment
//! whole?").

mod chunk;
mod walk;

use crate::ebml::{self, HEADER_MAX_BYTES, id};
use crate::error::{Error, ErrorKind};
use crate::fragment::{Broken, Document, ErrorReport, Fragment};
use crate::limits::Limits;
use crate::number::FragmentNumber;
use crate::payload::Payload;

use chunk::Chunk;
use walk::{Place, Step};

/// Which sign makes a fragment whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Completion {
    /// Its continuation token has been read: GetMedia.
    #[default]
    Token,
    /// The next chunk begins or the response ends cleanly: GetMediaForFragmentList, recordings of a producer.
    NextChunkOrEnd,
}

/// What came out of the bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A whole fragment.
    Fragment(Fragment),
    /// The next chunk began although this one had no continuation token. Not to be published at once: pull again.
    Unfinished(Fragment),
    /// The service ended the session with an error. Never moves a position.
    Error(ErrorReport),
}

/// How the input ended; see [`Splitter::finish`].
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one of these a response")]
pub enum End {
    /// Between two chunks.
    Clean,
    /// With a last event that needed the end to be known.
    Event(Event),
    /// Inside a chunk, which is not whole and has to be pulled again.
    Cut {
        /// Its fragment number, when that had been read.
        number: Option<FragmentNumber>,
        /// How many of its bytes had come.
        received_bytes: usize,
    },
}

/// Splits a response body into fragments.
#[derive(Debug)]
pub struct Splitter {
    limits: Limits,
    completion: Completion,
    headroom_bytes: usize,
    /// Where the current chunk begins in the stream.
    chunk_offset: u64,
    /// Bytes of the current chunk that have been copied.
    payload: Payload,
    /// Where the next element to look at begins in the chunk; may lie behind what has come.
    at: usize,
    place: Place,
    chunk: Chunk,
    /// Capacity for the next payload: what recent ones needed, never what a size field says.
    capacity_hint_bytes: usize,
    tracks_cache: chunk::TracksCache,
    /// Bytes of an element between two chunks that still have to be thrown away.
    discard_bytes: u64,
    /// Bytes thrown away since the last chunk.
    discarded_bytes: u64,
    /// The chunk of the last error.
    broken: Option<Broken>,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new(Limits::default(), Completion::Token)
    }
}

impl Splitter {
    /// A splitter at the beginning of a stream.
    pub fn new(limits: Limits, completion: Completion) -> Self {
        Self {
            limits,
            completion,
            headroom_bytes: 0,
            chunk_offset: 0,
            payload: Payload::default(),
            at: 0,
            place: Place::Start,
            chunk: Chunk::default(),
            capacity_hint_bytes: 0,
            tracks_cache: chunk::TracksCache::default(),
            discard_bytes: 0,
            discarded_bytes: 0,
            broken: None,
        }
    }

    /// Leaves so many bytes of room in front of each payload; see [`Payload::into_prefixed`].
    #[must_use]
    pub fn with_headroom(mut self, headroom_bytes: usize) -> Self {
        self.headroom_bytes = headroom_bytes;
        self
    }

    /// Takes bytes off the front of `input` until there is an event, or none are left (`Ok(None)`).
    ///
    /// # Errors
    /// When the bytes are malformed or pass a limit. What was read of the chunk is dropped, and the splitter is at
    /// the beginning of a new stream.
    pub fn push(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Error> {
        let chunk_offset = self.chunk_offset;
        let result = self.walk(input);
        if result.is_err() {
            self.note_broken(chunk_offset);
            self.reset();
        }
        result
    }

    /// Tells that the input has ended cleanly, and makes ready for a new stream.
    ///
    /// # Errors
    /// When the end makes a chunk whole that has no fragment number.
    pub fn finish(&mut self) -> Result<End, Error> {
        let chunk_offset = self.chunk_offset;
        let end = self.take_end();
        if end.is_err() {
            self.note_broken(chunk_offset);
        }
        self.reset();
        end
    }

    /// Returns what had been read of the chunk in which the last error was found, once.
    pub fn take_broken(&mut self) -> Option<Broken> {
        self.broken.take()
    }

    /// `offset` is where the chunk begins, if it is over already.
    fn note_broken(&mut self, offset: u64) {
        let over = self.place == Place::Between;
        let offset = if over { offset } else { self.chunk_offset };
        self.broken = Some(std::mem::take(&mut self.chunk).into_broken(offset));
    }

    /// Reads a whole file that is no recording of the service: tracks, clusters and frames.
    ///
    /// # Errors
    /// When it is malformed, passes a limit, or ends inside an element.
    pub fn read_document(bytes: &[u8], limits: Limits) -> Result<Document, Error> {
        let mut splitter = Self::new(limits, Completion::NextChunkOrEnd);
        splitter.push(&mut &*bytes)?;
        while splitter.leave_finished() {}
        if splitter.at != splitter.payload.len() || !splitter.is_whole() {
            let offset = splitter.payload.len() as u64;
            return Err(Error::new(ErrorKind::Truncated, id::SEGMENT, offset));
        }
        splitter.chunk.check()?;
        Ok(splitter.chunk.into_document(splitter.payload))
    }

    /// Forgets the current stream.
    pub fn reset(&mut self) {
        self.payload = Payload::default();
        self.chunk = Chunk::default();
        self.at = 0;
        self.chunk_offset = 0;
        self.place = Place::Start;
        self.discard_bytes = 0;
        self.discarded_bytes = 0;
    }

    /// Number of the chunk that is coming in, as soon as it has been read.
    pub fn current_number(&self) -> Option<&FragmentNumber> {
        self.chunk.number.as_ref()
    }

    /// How many bytes of the current chunk have come.
    pub fn current_size_bytes(&self) -> usize {
        self.payload.len()
    }

    fn take_end(&mut self) -> Result<End, Error> {
        let received_bytes = self.payload.len();
        if matches!(self.place, Place::Start | Place::Between) && received_bytes == 0 && self.discard_bytes == 0 {
            return Ok(End::Clean);
        }
        while self.leave_finished() {}
        self.chunk.check()?;
        let whole = self.at == received_bytes && self.is_whole();
        if whole || self.chunk.is_error() {
            return match self.end_chunk(whole)? {
                Some(event) => Ok(End::Event(event)),
                None => Ok(End::Clean),
            };
        }
        Ok(End::Cut { number: self.chunk.number.take(), received_bytes })
    }

    /// The loop: look at the element at `self.at`, go on behind it or into it; copy when the piece is used up or the
    /// chunk ends. Every turn moves `self.at` or the place forward, or returns.
    fn walk(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Error> {
        loop {
            if self.place == Place::Between && !self.pass_between(input)? {
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
                    let event = self.end_chunk(self.is_whole())?;
                    self.place = Place::Start;
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

    /// A chunk with its token is over, unless its Segment has a size and goes on.
    fn chunk_ends_here(&self) -> bool {
        self.place == Place::InSegment
            && self.completion == Completion::Token
            && self.chunk.token.is_some()
            && self.chunk.segment_end.is_none_or(|end| self.at as u64 >= end)
    }

    /// Whether the chunk is a whole fragment if it ends at the element at hand.
    fn is_whole(&self) -> bool {
        match self.completion {
            Completion::Token => self.chunk.token.is_some(),
            // A cluster of known size whose rest is missing was cut, whatever follows.
            Completion::NextChunkOrEnd => {
                matches!(self.place, Place::InSegment | Place::InCluster { end: None })
            }
        }
    }

    /// Takes the chunk's event and makes ready for the next chunk. `None`: there was nothing to tell.
    fn end_chunk(&mut self, whole: bool) -> Result<Option<Event>, Error> {
        self.chunk.check()?;
        let chunk = std::mem::take(&mut self.chunk);
        let payload = std::mem::take(&mut self.payload);
        let size_bytes = payload.len();
        let chunk_offset = self.chunk_offset;
        self.chunk_offset += size_bytes as u64;
        self.at = 0;
        self.place = Place::Between;
        self.discarded_bytes = 0;
        self.capacity_hint_bytes = size_bytes.max(self.capacity_hint_bytes - self.capacity_hint_bytes / 16);
        chunk.into_event(payload, whole, chunk_offset)
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
            self.payload = Payload::with_capacity(self.headroom_bytes, capacity);
        }
        self.payload.append(bytes);
    }

    /// Passes what may lie between a whole chunk and the next EBML header. `false`: the input is used up.
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
                self.place = Place::Start;
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
                let kind = ErrorKind::TooLarge { what: "bytes between chunks", actual: self.discarded_bytes, limit };
                return Err(Error::new(kind, header.id, self.chunk_offset));
            }
            self.payload = Payload::default();
            self.discard_bytes = total - carried as u64;
            self.chunk_offset += carried as u64;
        }
    }
}

/// The bytes `head ++ tail` as one slice, as far as `small` goes; without copying when `head` is empty.
fn join<'a>(head: &[u8], tail: &'a [u8], small: &'a mut [u8]) -> &'a [u8] {
    if head.is_empty() {
        return &tail[..tail.len().min(small.len())];
    }
    let from_head = head.len().min(small.len());
    small[..from_head].copy_from_slice(&head[..from_head]);
    let from_tail = tail.len().min(small.len() - from_head);
    small[from_head..from_head + from_tail].copy_from_slice(&tail[..from_tail]);
    &small[..from_head + from_tail]
}
