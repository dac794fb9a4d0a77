//! Fragment after fragment of one stream, session after session.

mod event;
mod first;
mod gap;
mod rate;
mod settings;
pub(crate) mod unparsable;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use kvs_mkv::{End, Event, Fragment, FragmentNumber};
use tokio::sync::watch;

use crate::archive::ArchivePuller;
use crate::budget::{MemoryBudget, MemoryPermit, Waits};
use crate::client::Client;
use crate::error::{Error, ErrorClass};
use crate::resume::{Resume, StreamPosition};
use crate::retry::{Backoff, RetryPolicy};
use crate::selector::StartSelector;
use crate::session::{Memory, Session, Step, Wanted};
use crate::stream_ref::StreamRef;

pub use event::{Pulled, PulledFragment};
use gap::Lost;
use rate::RateWatch;
pub use settings::{IdlePolicy, PullerConfig};
pub use unparsable::PassedOver;
use unparsable::{Unparsable, Verdict};

/// A chunk without its token that comes so often running is published as it is.
const ODD_TIMES_MAX: u32 = 3;
/// New credentials are tried so often running before the refusal is believed.
pub(crate) const UNAUTHORIZED_TIMES_MAX: u32 = 3;

/// Pulls one stream.
pub struct Puller {
    client: Arc<Client>,
    stream: StreamRef,
    config: PullerConfig,
    budget: MemoryBudget,
    resume: Resume,
    /// The fragment that the stream is to start with, until it has come.
    first: Option<FragmentNumber>,
    first_absent: u32,
    session: Option<Session>,
    /// Whether the session starts at the live edge.
    live: bool,
    /// Whether the session has brought a fragment.
    brought: bool,
    failures: Backoff,
    idle: Backoff,
    /// The delay before the next session is opened.
    delay: Option<Duration>,
    odd: Option<(FragmentNumber, u32)>,
    unauthorized: u32,
    unparsable: Unparsable,
    /// Memory that a fragment had when it had to give it back.
    gave_back_bytes: usize,
    waits: Waits,
    /// What is fetched from the archive after the position was lost.
    gap: Option<Box<ArchivePuller>>,
    /// The position that was lost, until it is known where the stream goes on.
    lost: Option<Lost>,
    /// What comes after the event at hand.
    next: Option<Pulled>,
    /// Whether the stream has been said to have caught up.
    caught_up: Option<bool>,
    rate: RateWatch,
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
        let idle = RetryPolicy { attempts_max: 0, base: config.idle.base, cap: config.idle.cap };
        let first = match &config.start {
            StartSelector::FragmentNumber(number) if config.start_inclusive && position.is_none() => {
                Some(number.clone())
            }
            _ => None,
        };
        Self {
            first,
            first_absent: 0,
            resume: Resume::new(config.start.clone(), position, config.position_lost),
            failures: Backoff::new(config.retry),
            idle: Backoff::new(idle),
            client,
            stream,
            config,
            budget,
            session: None,
            live: false,
            brought: false,
            delay: None,
            odd: None,
            unauthorized: 0,
            unparsable: Unparsable::default(),
            gave_back_bytes: 0,
            waits: Arc::new(watch::Sender::new(None)),
            gap: None,
            lost: None,
            next: None,
            caught_up: None,
            rate: RateWatch::default(),
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
            if let Some(next) = self.next.take() {
                return Ok(next);
            }
            if let Some(delay) = self.delay {
                tokio::time::sleep(delay).await;
                self.delay = None;
            }
            if self.first.is_some() {
                match self.fetch_first().await? {
                    Some(pulled) => return Ok(pulled),
                    None => continue,
                }
            }
            if self.gap.is_some() {
                match self.fill_gap().await? {
                    Some(pulled) => return Ok(pulled),
                    None => continue,
                }
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
                Ok(Step::Event(Event::Unterminated(fragment), permit)) => {
                    return Ok(self.odd(session, fragment, permit));
                }
                Ok(Step::Event(Event::Error(report), _) | Step::End(End::Event(Event::Error(report)))) => {
                    return self.fail(session.in_stream(report)).await;
                }
                Ok(Step::Evicted { number, held_bytes }) => {
                    self.gave_back_bytes = held_bytes;
                    let request_id = session.request_id().map(str::to_owned);
                    return Ok(Pulled::GaveMemoryBack { number, held_bytes, request_id });
                }
                Ok(Step::End(End::Cut { number, received_bytes })) => {
                    self.delay = Some(self.failures.next_delay());
                    let request_id = session.request_id().map(str::to_owned);
                    return Ok(Pulled::Waiting { number, received_bytes, request_id });
                }
                // Other events need no end to be known.
                Ok(Step::End(End::Clean | End::Event(_))) => self.ended(&session),
                // A producer that is off: no error of anyone's.
                Err(Error::Silent { .. }) if self.live && !self.config.idle.silence_fails => self.ended(&session),
                Err(error) => {
                    // An error report may have come before the connection broke.
                    if let Some(End::Event(Event::Error(report))) = session.finish() {
                        return self.fail(session.in_stream(report)).await;
                    }
                    return self.fail(error).await;
                }
            }
        }
    }

    async fn open(&mut self) -> Result<Pulled, Error> {
        let selector = self.resume.selector().ok_or_else(|| self.given_up())?;
        let (limits, headroom) = (self.config.limits, self.config.headroom_bytes);
        let wanted = Wanted::From(&selector);
        let begins_with = match self.gave_back_bytes {
            0 => MemoryPermit::default(),
            had_bytes => self.budget.readmit(had_bytes, &self.waits).await,
        };
        let memory = Memory { budget: &self.budget, begins_with, waits: Arc::clone(&self.waits) };
        let session = Session::open(&self.client, &self.stream, wanted, limits, headroom, memory).await?;
        self.gave_back_bytes = 0;
        let opened = Pulled::Opened { selector: selector.kind(), request_id: session.request_id().map(str::to_owned) };
        let from_now = self.config.start == StartSelector::Now && self.resume.position().is_none();
        self.live = from_now || self.caught_up == Some(true);
        self.brought = false;
        self.unauthorized = 0;
        self.rate = RateWatch::default();
        self.session = Some(session);
        Ok(opened)
    }

    fn bring(&mut self, session: Session, fragment: Fragment, permit: MemoryPermit) -> Pulled {
        let position = StreamPosition::after(&fragment);
        // By its time the service may give the last fragment before the loss once more: that says nothing yet.
        let lost = self.lost.take_if(|lost| fragment.number > lost.position.fragment_number);
        let lost = lost.map(|lost| Pulled::PositionLost {
            before: lost.position,
            after: position.clone(),
            fetched: lost.archive_asked.then_some(lost.fetched),
            missing: lost.missing,
        });
        self.resume.advance(position);
        self.brought = true;
        self.odd = None;
        self.unparsable.reset();
        self.failures.reset();
        self.idle.reset();
        let told = fragment.millis_behind_now.and_then(|millis| self.edge(&session, millis));
        let pulled = Pulled::Fragment(Box::new(PulledFragment {
            fragment,
            permit,
            content_type: session.content_type().map(str::to_owned),
            request_id: session.request_id().map(str::to_owned),
        }));
        self.session = Some(session);
        match (lost, told) {
            // What was lost is told before the fragment that it is followed by.
            (Some(lost), _) => {
                self.next = Some(pulled);
                lost
            }
            (None, told) => {
                self.next = told;
                pulled
            }
        }
    }

    /// What the distance to the live edge says.
    fn edge(&mut self, session: &Session, millis_behind_now: i64) -> Option<Pulled> {
        let caught_up = millis_behind_now <= self.config.caught_up_ms;
        if self.caught_up != Some(caught_up) {
            // One that begins behind is not told to have fallen behind.
            let tell = caught_up || self.caught_up.is_some();
            self.caught_up = Some(caught_up);
            if tell {
                return Some(Pulled::CaughtUp { caught_up, millis_behind_now });
            }
        }
        let limit = self.config.session_bytes_per_second;
        let bytes_per_second = self.rate.at_limit(session.received_bytes(), millis_behind_now, limit)?;
        let request_id = session.request_id().map(str::to_owned);
        Some(Pulled::AtRateLimit { bytes_per_second, millis_behind_now, request_id })
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
        Pulled::Odd { number: fragment.number, times, request_id: session.request_id().map(str::to_owned) }
    }

    /// A session ended between two chunks: as the service does after 40 to 50 minutes, or when nothing comes.
    fn ended(&mut self, session: &Session) {
        if self.brought {
            return;
        }
        self.resume.began(session.began().unwrap_or_else(SystemTime::now));
        self.delay = Some(self.idle.next_delay());
    }

    async fn fail(&mut self, error: Error) -> Result<Pulled, Error> {
        let mut class = error.class();
        let after = self.resume.position().map(|position| position.fragment_number.clone());
        match self.unparsable.judge(&error, after.as_ref(), None, self.config.pass_over_unparsable) {
            Some(Verdict::PassOver(passed_over)) => {
                self.resume.advance(passed_over.position.clone());
                self.failures.reset();
                return Ok(Pulled::PassedOver(Box::new(passed_over)));
            }
            Some(Verdict::GiveUp(given_up)) => return Err(given_up),
            // What is past a limit once is so each time.
            Some(Verdict::Again) if self.config.pass_over_unparsable => class = ErrorClass::Retry,
            Some(Verdict::Again) | None => {}
        }
        self.client.refresh_after(&self.stream, class).await;
        match class {
            ErrorClass::Fatal => return Err(error),
            ErrorClass::Position => {
                let goes_on = self.resume.refuse();
                if self.resume.is_lost() {
                    self.note_lost();
                }
                if !goes_on && self.gap.is_none() {
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
        let delay = self.failures.next_delay();
        if self.failures.exhausted() {
            return Err(error);
        }
        let delay = if class == ErrorClass::RetrySlowly { self.config.slow_retry_delay } else { delay };
        self.delay = Some(delay);
        Ok(Pulled::Retrying { error, delay })
    }

    /// Says since when the stream waits for memory; `None`: it does not.
    pub fn waits_for_memory(&self) -> watch::Receiver<Option<Instant>> {
        self.waits.subscribe()
    }

    /// The last fragment that was yielded or passed over.
    pub fn position(&self) -> Option<&StreamPosition> {
        self.resume.position()
    }
}
