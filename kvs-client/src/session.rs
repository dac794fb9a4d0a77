//! One session: a response body that is split into fragments while it arrives.

mod broken;

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use kvs_api::Operation;
use kvs_mkv::{Completion, End, Event, FragmentNumber, Limits, Splitter};

use crate::budget::{Claim, MemoryBudget, MemoryPermit, Waits};
use crate::client::{Client, MediaResponse};
use crate::error::{Error, Subject, TransportError};
use crate::raw::RawWish;
use crate::selector::StartSelector;
use crate::shown::shown;
use crate::stream_ref::StreamRef;

/// What a session requests.
pub(crate) enum Wanted<'a> {
    /// GetMedia: what follows a start selector.
    From(&'a StartSelector),
    /// GetMediaForFragmentList: these fragments.
    #[cfg(feature = "archive")]
    Fragments(&'a [FragmentNumber]),
}

/// An open session.
pub(crate) struct Session {
    subject: Subject,
    media: MediaResponse,
    splitter: Splitter,
    /// Bytes that have been read but not yet split.
    piece: Bytes,
    claim: Claim,
    inactivity_timeout: Duration,
    fragment_timeout: Duration,
    raw: RawWish,
    /// Whether the end of the body is the end of the last fragment.
    ends_with_body: bool,
    /// When the first byte of the current chunk arrived.
    chunk_began: Option<Instant>,
    received_bytes: u64,
}

/// What a session yields.
pub(crate) enum Step {
    /// A fragment with its memory, or another event, which has none.
    Event(Event, MemoryPermit),
    /// The body ended.
    End(End),
    /// Other streams needed the memory of a fragment that did not grow: the session is over.
    Evicted {
        /// The fragment's number, if it had arrived.
        number: Option<FragmentNumber>,
        /// How much memory the fragment had, in bytes.
        held_bytes: usize,
    },
}

/// What a read of the response's body yields.
enum Read {
    Piece(Bytes),
    End,
    Evicted,
}

/// How a session splits the media.
pub(crate) struct Splitting {
    pub(crate) limits: Limits,
    /// How many bytes to leave free in front of each payload.
    pub(crate) headroom_bytes: usize,
    pub(crate) raw: RawWish,
}

/// Where a session's memory comes from.
pub(crate) struct Memory<'a> {
    pub(crate) budget: &'a MemoryBudget,
    /// The memory with which the session starts.
    pub(crate) begins_with: MemoryPermit,
    /// Where the session reports that it waits for memory.
    pub(crate) waits: Waits,
    /// How much memory each byte takes.
    pub(crate) factor: usize,
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// When the service refuses, or does not respond within the inactivity timeout.
    pub(crate) async fn open(
        client: &Client,
        stream: &StreamRef,
        wanted: Wanted<'_>,
        splitting: Splitting,
        memory: Memory<'_>,
    ) -> Result<Self, Error> {
        let (operation, completion) = match wanted {
            Wanted::From(_) => (Operation::GetMedia, Completion::Token),
            #[cfg(feature = "archive")]
            Wanted::Fragments(_) => (Operation::GetMediaForFragmentList, Completion::NextChunkOrEnd),
        };
        let Splitting { limits, headroom_bytes, raw } = splitting;
        let subject = Subject::new(operation, Some(stream));
        let opening = async {
            match wanted {
                Wanted::From(selector) => client.get_media(stream, selector).await,
                #[cfg(feature = "archive")]
                Wanted::Fragments(numbers) => client.get_media_for_fragment_list(stream, numbers).await,
            }
        };
        let Ok(media) = tokio::time::timeout(client.inactivity_timeout, opening).await else {
            let server = client.data_server(stream, operation).await;
            let error = Box::new(TransportError::TimedOut { server, timeout: client.inactivity_timeout });
            return Err(Error::Transport { subject, error, request_id: None });
        };
        let media = media?;
        Ok(Self {
            subject,
            media,
            splitter: Splitter::new(limits, completion)
                .with_headroom(headroom_bytes)
                .with_pool(memory.budget.buffers()),
            piece: Bytes::new(),
            claim: Claim::new(memory.budget, memory.begins_with, memory.waits, memory.factor),
            inactivity_timeout: client.inactivity_timeout,
            fragment_timeout: client.fragment_timeout,
            raw,
            ends_with_body: completion == Completion::NextChunkOrEnd,
            chunk_began: None,
            received_bytes: 0,
        })
    }

    /// Returns the memory of the fragment that was completed by the end of the body.
    #[cfg(feature = "archive")]
    pub(crate) fn take_permit(&mut self) -> MemoryPermit {
        self.claim.take()
    }

    /// Returns how many bytes of the body have arrived.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.media.request_id.as_deref()
    }

    pub(crate) fn content_type(&self) -> Option<&str> {
        self.media.content_type.as_deref()
    }

    /// Returns when the session began, by the service's clock.
    pub(crate) fn began(&self) -> Option<SystemTime> {
        self.media.date
    }

    /// Returns the next step.
    ///
    /// Not cancel safe: a session whose `next` was dropped must be dropped, too. This loses nothing, because the next
    /// session continues after the last complete fragment.
    pub(crate) async fn next(&mut self) -> Result<Step, Error> {
        self.claim.resume();
        loop {
            let mut rest: &[u8] = &self.piece;
            let pushed = self.splitter.push(&mut rest);
            let taken = self.piece.len() - rest.len();
            let _ = self.piece.split_to(taken);
            let event = match pushed {
                Ok(event) => event,
                Err(error) => return Err(self.media_error(error).await),
            };
            if let Some(event) = event {
                let size_bytes = match &event {
                    Event::Fragment(fragment) | Event::Unterminated(fragment) => fragment.payload.len(),
                    Event::Error(_) => 0,
                };
                // Bytes between two chunks belong to no fragment; their memory is given back here.
                let needed = self.piece.len() + self.splitter.current_size_bytes();
                let permit = self.claim.split(size_bytes, needed);
                self.chunk_began = None;
                return Ok(Step::Event(event, permit));
            }
            match self.read().await? {
                Read::Piece(piece) => {
                    // The size is only known now; the next read waits until there is room for this piece.
                    self.claim.extend(piece.len()).await;
                    self.received_bytes += piece.len() as u64;
                    self.piece = piece;
                }
                Read::Evicted => {
                    let number = self.splitter.current_number().cloned();
                    let held_bytes = self.claim.memory_for(self.splitter.current_size_bytes());
                    return Ok(Step::Evicted { number, held_bytes });
                }
                Read::End => {
                    return match self.splitter.finish() {
                        Ok(end) => Ok(Step::End(end)),
                        Err(error) => Err(self.media_error(error).await),
                    };
                }
            }
        }
    }

    /// Returns the splitter's result for a body that has broken off.
    pub(crate) fn finish(&mut self) -> Option<End> {
        self.splitter.finish().ok()
    }

    async fn read(&mut self) -> Result<Read, Error> {
        // A server that sends byte by byte keeps its socket alive, but must not hold a fragment for ever.
        let within = match self.splitter.current_size_bytes() {
            0 => self.inactivity_timeout,
            _ => {
                let began = *self.chunk_began.get_or_insert_with(Instant::now);
                self.inactivity_timeout.min(self.fragment_timeout.saturating_sub(began.elapsed()))
            }
        };
        self.claim.set_reading(true);
        let read = tokio::select! {
            biased;
            read = tokio::time::timeout(within, self.media.response.chunk()) => Some(read),
            () = self.claim.evicted() => None,
        };
        self.claim.set_reading(false);
        let Some(read) = read else { return Ok(Read::Evicted) };
        let is_between = self.splitter.current_size_bytes() == 0;
        let (inactivity, whole) = (self.inactivity_timeout, self.fragment_timeout);
        let error = match read {
            Ok(Ok(piece)) => return Ok(piece.map_or(Read::End, Read::Piece)),
            Ok(Err(error)) => TransportError::body_broken(error),
            Err(_) if self.chunk_began.is_some_and(|began| began.elapsed() >= whole) => {
                TransportError::FragmentTimedOut { timeout: whole }
            }
            Err(_) if is_between => {
                let (subject, request_id) = (self.subject.clone(), self.media.request_id.clone());
                return Err(Error::Silent { subject, timeout: inactivity, request_id });
            }
            Err(_) => TransportError::Stalled { timeout: inactivity },
        };
        let (subject, request_id) = (self.subject.clone(), self.media.request_id.clone());
        Err(Error::Transport { subject, error: Box::new(error), request_id })
    }

    /// Returns the error that the service reported within the media.
    pub(crate) fn in_stream(&self, mut report: kvs_mkv::ErrorReport) -> Error {
        for text in [&mut report.error_code, &mut report.message].into_iter().flatten() {
            *text = shown(text);
        }
        let request_id = self.media.request_id.clone();
        Error::InStream { subject: self.subject.clone(), report: Box::new(report), request_id }
    }
}
