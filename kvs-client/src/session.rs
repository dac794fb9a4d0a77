//! One session: a response body, split into fragments as it comes.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use kvs_api::Operation;
use kvs_mkv::{Completion, End, Event, FragmentNumber, Limits, Splitter};

use crate::budget::{Claim, MemoryBudget, MemoryPermit, SessionPermit, Waits};
use crate::client::{Client, MediaResponse};
use crate::error::{Error, Subject};
use crate::selector::StartSelector;
use crate::shown::shown;
use crate::stream_ref::StreamRef;

/// What is asked for.
pub(crate) enum Wanted<'a> {
    /// GetMedia from there.
    From(&'a StartSelector),
    /// GetMediaForFragmentList of these.
    Fragments(&'a [FragmentNumber]),
}

/// A session in progress.
pub(crate) struct Session {
    subject: Subject,
    media: MediaResponse,
    splitter: Splitter,
    piece: Bytes,
    claim: Claim,
    // Held as long as the connection is.
    _connection: Option<SessionPermit>,
    inactivity_timeout: Duration,
    fragment_timeout: Duration,
    /// When the first byte of the chunk at hand came.
    chunk_began: Option<Instant>,
    received_bytes: u64,
}

/// What a session comes to next.
pub(crate) enum Step {
    /// A fragment with the memory it takes, or another event.
    Event(Event, MemoryPermit),
    /// The body is over.
    End(End),
    /// Others needed the memory of a fragment that did not grow: the session is over.
    Evicted {
        /// The fragment's number, when it had come.
        number: Option<FragmentNumber>,
        /// How much memory it had.
        held_bytes: usize,
    },
}

/// What reading comes to.
enum Read {
    Piece(Bytes),
    End,
    Evicted,
}

/// What a session may take, and who hears that it waits.
pub(crate) struct Memory<'a> {
    pub(crate) budget: &'a MemoryBudget,
    /// What it begins with.
    pub(crate) begins_with: MemoryPermit,
    pub(crate) waits: Waits,
}

impl Session {
    pub(crate) async fn open(
        client: &Client,
        stream: &StreamRef,
        wanted: Wanted<'_>,
        limits: Limits,
        headroom_bytes: usize,
        memory: Memory<'_>,
    ) -> Result<Self, Error> {
        let (operation, completion) = match wanted {
            Wanted::From(_) => (Operation::GetMedia, Completion::Token),
            Wanted::Fragments(_) => (Operation::GetMediaForFragmentList, Completion::NextChunkOrEnd),
        };
        let subject = Subject::new(operation, Some(stream));
        let connection = memory.budget.session();
        let opening = async {
            match wanted {
                Wanted::From(selector) => client.get_media(stream, selector).await,
                Wanted::Fragments(numbers) => client.get_media_for_fragment_list(stream, numbers).await,
            }
        };
        let Ok(media) = tokio::time::timeout(client.inactivity_timeout, opening).await else {
            let server = client.data_server(stream, operation).await;
            let server = server.map_or(String::new(), |server| format!(" from {server}"));
            let reason = format!("no answer{server} within {} s", client.inactivity_timeout.as_secs_f64());
            return Err(Error::Transport { subject, reason, connecting: false, request_id: None });
        };
        let media = media?;
        Ok(Self {
            subject,
            media,
            splitter: Splitter::new(limits, completion).with_headroom(headroom_bytes),
            piece: Bytes::new(),
            claim: Claim::new(memory.budget, memory.begins_with, memory.waits),
            _connection: connection,
            inactivity_timeout: client.inactivity_timeout,
            fragment_timeout: client.fragment_timeout,
            chunk_began: None,
            received_bytes: 0,
        })
    }

    /// The memory of what came last, when the end of the body made it whole.
    pub(crate) fn take_permit(&mut self) -> MemoryPermit {
        self.claim.take()
    }

    /// Bytes that have come.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    pub(crate) fn request_id(&self) -> Option<&str> {
        self.media.request_id.as_deref()
    }

    pub(crate) fn content_type(&self) -> Option<&str> {
        self.media.content_type.as_deref()
    }

    /// When it began, by the service's clock.
    pub(crate) fn began(&self) -> Option<SystemTime> {
        self.media.date
    }

    /// The next event. Not cancel safe within a piece, but nothing is lost: a session that is dropped is opened again
    /// from the last whole fragment.
    pub(crate) async fn next(&mut self) -> Result<Step, Error> {
        self.claim.resume();
        loop {
            let mut rest: &[u8] = &self.piece;
            let pushed = self.splitter.push(&mut rest);
            let taken = self.piece.len() - rest.len();
            let _ = self.piece.split_to(taken);
            let event = match pushed {
                Ok(event) => event,
                Err(error) => return Err(self.media_error(error)),
            };
            if let Some(event) = event {
                let size_bytes = match &event {
                    Event::Fragment(fragment) | Event::Unterminated(fragment) => fragment.payload.len(),
                    Event::Error(_) => 0,
                };
                // What was between the chunks is held no longer.
                let needed = self.piece.len() + self.splitter.current_size_bytes();
                let permit = self.claim.split(size_bytes, needed);
                self.chunk_began = None;
                return Ok(Step::Event(event, permit));
            }
            match self.read().await? {
                Read::Piece(piece) => {
                    // Only now is known how much came; the next read waits until there is room for this one.
                    self.claim.extend(piece.len()).await;
                    self.received_bytes += piece.len() as u64;
                    self.piece = piece;
                }
                Read::Evicted => {
                    let number = self.splitter.current_number().cloned();
                    let held_bytes = self.splitter.current_size_bytes();
                    return Ok(Step::Evicted { number, held_bytes });
                }
                Read::End => {
                    return match self.splitter.finish() {
                        Ok(end) => Ok(Step::End(end)),
                        Err(error) => Err(self.media_error(error)),
                    };
                }
            }
        }
    }

    /// What the splitter knows when the body has broken off.
    pub(crate) fn finish(&mut self) -> Option<End> {
        self.splitter.finish().ok()
    }

    async fn read(&mut self) -> Result<Read, Error> {
        // Dripping bytes are progress to a socket, not to a fragment.
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
        let reason = match read {
            Ok(Ok(piece)) => return Ok(piece.map_or(Read::End, Read::Piece)),
            Ok(Err(error)) => {
                format!("the body broke off: {}", crate::credentials::with_causes(&error.without_url()))
            }
            Err(_) if self.chunk_began.is_some_and(|began| began.elapsed() >= self.fragment_timeout) => {
                format!("a fragment was not whole after {} s", self.fragment_timeout.as_secs_f64())
            }
            Err(_) if self.splitter.current_size_bytes() == 0 => {
                return Err(Error::Silent {
                    subject: self.subject.clone(),
                    seconds: self.inactivity_timeout.as_secs_f64(),
                    request_id: self.media.request_id.clone(),
                });
            }
            Err(_) => format!("no byte came for {} s", self.inactivity_timeout.as_secs_f64()),
        };
        Err(Error::Transport {
            subject: self.subject.clone(),
            reason,
            connecting: false,
            request_id: self.media.request_id.clone(),
        })
    }

    pub(crate) fn in_stream(&self, mut report: kvs_mkv::ErrorReport) -> Error {
        for text in [&mut report.error_code, &mut report.message].into_iter().flatten() {
            *text = shown(text);
        }
        let request_id = self.media.request_id.clone();
        Error::InStream { subject: self.subject.clone(), report: Box::new(report), request_id }
    }

    fn media_error(&mut self, error: kvs_mkv::Error) -> Error {
        let broken = Box::new(self.splitter.take_broken().unwrap_or_default());
        Error::Media { subject: self.subject.clone(), error, broken, request_id: self.media.request_id.clone() }
    }
}
