//! One session of GetMedia: a response body, split into fragments as it comes.

use std::time::SystemTime;

use bytes::Bytes;
use kvs_mkv::{Completion, End, Event, Limits, Splitter};

use crate::budget::{MemoryBudget, MemoryPermit, SessionPermit};
use crate::client::{Client, MediaResponse};
use crate::error::Error;
use crate::selector::StartSelector;
use crate::stream_ref::StreamRef;

const API: &str = "GetMedia";

/// A session in progress.
pub(crate) struct Session {
    stream: StreamRef,
    media: MediaResponse,
    splitter: Splitter,
    piece: Bytes,
    permit: MemoryPermit,
    budget: MemoryBudget,
    // Held as long as the connection is.
    _connection: Option<SessionPermit>,
    inactivity_timeout: std::time::Duration,
}

/// What a session comes to next.
pub(crate) enum Step {
    /// A fragment with the memory it takes, or another event.
    Event(Event, MemoryPermit),
    /// The body is over.
    End(End),
}

impl Session {
    pub(crate) async fn open(
        client: &Client,
        stream: &StreamRef,
        selector: &StartSelector,
        limits: Limits,
        headroom_bytes: usize,
        budget: &MemoryBudget,
    ) -> Result<Self, Error> {
        let connection = budget.session().await;
        let opening = client.get_media(stream, selector);
        let timed_out = || Error::Transport {
            api: API,
            stream: stream.clone(),
            reason: format!("no answer within {} s", client.inactivity_timeout.as_secs_f64()),
            connecting: false,
            request_id: None,
        };
        let media = tokio::time::timeout(client.inactivity_timeout, opening).await.map_err(|_| timed_out())??;
        Ok(Self {
            stream: stream.clone(),
            media,
            splitter: Splitter::new(limits, Completion::Token).with_headroom(headroom_bytes),
            piece: Bytes::new(),
            permit: MemoryPermit::default(),
            budget: budget.clone(),
            _connection: connection,
            inactivity_timeout: client.inactivity_timeout,
        })
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
        loop {
            let mut rest: &[u8] = &self.piece;
            let pushed = self.splitter.push(&mut rest);
            let taken = self.piece.len() - rest.len();
            let _ = self.piece.split_to(taken);
            let event = pushed.map_err(|error| self.media_error(error))?;
            if let Some(event) = event {
                let size_bytes = match &event {
                    Event::Fragment(fragment) | Event::Unfinished(fragment) => fragment.payload.len(),
                    Event::Error(_) => 0,
                };
                let permit = self.permit.split(size_bytes);
                // What was between the chunks is held no longer.
                let held = self.permit.size_bytes();
                let needed = self.piece.len() + self.splitter.current_size_bytes();
                drop(self.permit.split(held.saturating_sub(needed)));
                return Ok(Step::Event(event, permit));
            }
            match self.read().await? {
                Some(piece) => {
                    // Only now is known how much came; the next read waits until there is room for this one.
                    self.budget.extend(&mut self.permit, piece.len()).await;
                    self.piece = piece;
                }
                None => {
                    let end = self.splitter.finish().map_err(|error| self.media_error(error))?;
                    return Ok(Step::End(end));
                }
            }
        }
    }

    /// What the splitter knows when the body has broken off.
    pub(crate) fn finish(&mut self) -> Option<End> {
        self.splitter.finish().ok()
    }

    async fn read(&mut self) -> Result<Option<Bytes>, Error> {
        let reason = match tokio::time::timeout(self.inactivity_timeout, self.media.response.chunk()).await {
            Ok(Ok(piece)) => return Ok(piece),
            Ok(Err(error)) => {
                format!("the body broke off: {}", crate::credentials::with_causes(&error.without_url()))
            }
            Err(_) => format!("no byte came for {} s", self.inactivity_timeout.as_secs_f64()),
        };
        Err(Error::Transport {
            api: API,
            stream: self.stream.clone(),
            reason,
            connecting: false,
            request_id: self.media.request_id.clone(),
        })
    }

    fn media_error(&self, error: kvs_mkv::Error) -> Error {
        Error::Media { stream: self.stream.clone(), error, request_id: self.media.request_id.clone() }
    }
}
