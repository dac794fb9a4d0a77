//! Fragment after fragment of one stream, session after session.

use std::sync::Arc;
use std::time::Duration;

use kvs_mkv::{End, Event, Fragment, FragmentNumber, Limits};

use crate::budget::{MemoryBudget, MemoryPermit};
use crate::client::Client;
use crate::error::{Error, ErrorClass};
use crate::resume::{PositionLost, Resume, StreamPosition};
use crate::retry::{Backoff, RetryPolicy};
use crate::selector::StartSelector;
use crate::session::{Session, Step};
use crate::stream_ref::StreamRef;

/// A chunk without its token that comes so often running is published as it is.
const ODD_TIMES_MAX: u32 = 3;
/// New credentials are tried so often running before the refusal is believed.
const UNAUTHORIZED_TIMES_MAX: u32 = 3;
/// While nothing comes, sessions are opened again after at most so long.
const IDLE_POLICY: RetryPolicy = RetryPolicy { base: Duration::from_millis(250), cap: Duration::from_secs(2) };
/// What an operator has to mend is looked at again so often.
const SLOW_DELAY: Duration = Duration::from_secs(60);

/// How to pull a stream.
#[derive(Debug, Clone)]
pub struct PullerConfig {
    /// Where to start when there is no position.
    pub start: StartSelector,
    /// What to do when the position is lost.
    pub position_lost: PositionLost,
    /// Bounds on a fragment.
    pub limits: Limits,
    /// Room to leave in front of each payload, in bytes.
    pub headroom_bytes: usize,
    /// How to wait after failures.
    pub retry: RetryPolicy,
}

impl Default for PullerConfig {
    fn default() -> Self {
        Self {
            start: StartSelector::Earliest,
            position_lost: PositionLost::default(),
            limits: Limits::default(),
            headroom_bytes: 0,
            retry: RetryPolicy::default(),
        }
    }
}

/// Pulls one stream.
pub struct Puller {
    client: Arc<Client>,
    stream: StreamRef,
    config: PullerConfig,
    budget: MemoryBudget,
    resume: Resume,
    session: Option<Session>,
    /// Whether the session has brought a fragment.
    brought: bool,
    failures: Backoff,
    idle: Backoff,
    /// The delay before the next session is opened.
    delay: Option<Duration>,
    odd: Option<(FragmentNumber, u32)>,
    unauthorized: u32,
}

/// A fragment with what belongs to it.
#[derive(Debug)]
pub struct PulledFragment {
    /// The fragment.
    pub fragment: Fragment,
    /// The memory it takes; give it back after the commit.
    pub permit: MemoryPermit,
    /// The response's content type.
    pub content_type: Option<String>,
    /// Id of the request it came with.
    pub request_id: Option<String>,
}

/// What pulling comes to next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Pulled {
    /// The next fragment. `complete` is false for one that came three times running without its end.
    Fragment(Box<PulledFragment>),
    /// A session is open.
    Opened {
        /// The kind of its start selector.
        selector: &'static str,
        /// The request's id.
        request_id: Option<String>,
    },
    /// The body ended within a fragment: it is pulled again.
    Waiting {
        /// Its number, when it had come.
        number: Option<FragmentNumber>,
        /// How many of its bytes had come.
        received_bytes: usize,
    },
    /// A chunk came without its token and another behind it: it is pulled again.
    Odd {
        /// Its number.
        number: FragmentNumber,
        /// How often running.
        times: u32,
    },
    /// The service refused the position: the next rung of the ladder is tried.
    PositionRefused {
        /// How it was refused.
        error: Error,
    },
    /// Something failed and is tried again.
    Retrying {
        /// What failed.
        error: Error,
        /// After how long.
        delay: Duration,
    },
}

impl Puller {
    /// Pulls from behind `position`, or from the start selector when there is none.
    pub fn new(
        client: Arc<Client>,
        stream: StreamRef,
        position: Option<StreamPosition>,
        config: PullerConfig,
        budget: MemoryBudget,
    ) -> Self {
        Self {
            resume: Resume::new(config.start.clone(), position, config.position_lost),
            failures: Backoff::new(config.retry),
            idle: Backoff::new(IDLE_POLICY),
            client,
            stream,
            config,
            budget,
            session: None,
            brought: false,
            delay: None,
            odd: None,
            unauthorized: 0,
        }
    }

    /// The next thing that happens. Goes on for ever; what comes in between is for logs and status.
    ///
    /// Dropping the future loses nothing but the session.
    ///
    /// # Errors
    /// When trying again does not help: the stream has to be given up until someone changes something.
    pub async fn next(&mut self) -> Result<Pulled, Error> {
        loop {
            if let Some(delay) = self.delay {
                tokio::time::sleep(delay).await;
                self.delay = None;
            }
            // Taken out while it is worked on: a future that is dropped on the way leaves no half-read session.
            let Some(mut session) = self.session.take() else {
                match self.open().await {
                    Ok(opened) => return Ok(opened),
                    Err(error) => return self.fail(error).await,
                }
            };
            let step = session.next().await;
            match step {
                Ok(Step::Event(Event::Fragment(fragment), permit)) => {
                    return Ok(self.bring(session, fragment, permit));
                }
                Ok(Step::Event(Event::Unfinished(fragment), permit)) => {
                    return Ok(self.odd(session, fragment, permit));
                }
                Ok(Step::Event(Event::Error(report), _) | Step::End(End::Event(Event::Error(report)))) => {
                    return self.fail(self.in_stream(&session, report)).await;
                }
                Ok(Step::End(End::Cut { number, received_bytes })) => {
                    self.delay = Some(self.failures.next_delay());
                    return Ok(Pulled::Waiting { number, received_bytes });
                }
                // Other events need no end to be known.
                Ok(Step::End(End::Clean | End::Event(_))) => self.ended(&session),
                Err(error) => {
                    // An error report may have come before the connection broke.
                    if let Some(End::Event(Event::Error(report))) = session.finish() {
                        return self.fail(self.in_stream(&session, report)).await;
                    }
                    return self.fail(error).await;
                }
            }
        }
    }

    async fn open(&mut self) -> Result<Pulled, Error> {
        let lost = || Error::Config {
            reason: format!(
                "stream {}: the service knows its position no more, and kvs.position.lost is fail",
                self.stream
            ),
        };
        let selector = self.resume.selector().ok_or_else(lost)?;
        let (limits, headroom) = (self.config.limits, self.config.headroom_bytes);
        let session = Session::open(&self.client, &self.stream, &selector, limits, headroom, &self.budget).await?;
        let opened = Pulled::Opened { selector: selector.kind(), request_id: session.request_id().map(str::to_owned) };
        self.brought = false;
        self.unauthorized = 0;
        self.session = Some(session);
        Ok(opened)
    }

    fn bring(&mut self, session: Session, fragment: Fragment, permit: MemoryPermit) -> Pulled {
        self.resume.advance(StreamPosition::after(&fragment));
        self.brought = true;
        self.odd = None;
        self.failures.reset();
        self.idle.reset();
        let pulled = Pulled::Fragment(Box::new(PulledFragment {
            fragment,
            permit,
            content_type: session.content_type().map(str::to_owned),
            request_id: session.request_id().map(str::to_owned),
        }));
        self.session = Some(session);
        pulled
    }

    fn odd(&mut self, session: Session, fragment: Fragment, permit: MemoryPermit) -> Pulled {
        let times = match self.odd.take() {
            Some((number, times)) if number == fragment.number => times + 1,
            _ => 1,
        };
        if times >= ODD_TIMES_MAX {
            return self.bring(session, fragment, permit);
        }
        self.odd = Some((fragment.number.clone(), times));
        self.delay = Some(self.failures.next_delay());
        Pulled::Odd { number: fragment.number, times }
    }

    /// A session ended between two chunks: as the service does after 40 to 50 minutes, or when nothing comes.
    fn ended(&mut self, session: &Session) {
        if self.brought {
            return;
        }
        self.resume.began(session.began().unwrap_or_else(std::time::SystemTime::now));
        self.delay = Some(self.idle.next_delay());
    }

    fn in_stream(&self, session: &Session, report: kvs_mkv::ErrorReport) -> Error {
        let request_id = session.request_id().map(str::to_owned);
        Error::InStream { api: "GetMedia", stream: self.stream.clone(), report: Box::new(report), request_id }
    }

    async fn fail(&mut self, error: Error) -> Result<Pulled, Error> {
        let class = error.class();
        self.client.refresh_after(&self.stream, class).await;
        match class {
            ErrorClass::Fatal => return Err(error),
            ErrorClass::Position => {
                if !self.resume.refuse() {
                    return Err(error);
                }
                return Ok(Pulled::PositionRefused { error });
            }
            ErrorClass::RefreshCredentials => {
                self.unauthorized += 1;
                if self.unauthorized > UNAUTHORIZED_TIMES_MAX {
                    return Err(error);
                }
            }
            _ => {}
        }
        let delay = if class == ErrorClass::RetrySlowly { SLOW_DELAY } else { self.failures.next_delay() };
        self.delay = Some(delay);
        Ok(Pulled::Retrying { error, delay })
    }

    /// The last fragment that was yielded.
    pub fn position(&self) -> Option<&StreamPosition> {
        self.resume.position()
    }
}
