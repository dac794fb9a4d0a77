//! Pulls the fragments of one stream, across sessions.
//!
//! # States
//!
//! A [`Puller`] is in one of four states, each with the data that only it has ([`State`]):
//!
//! - **Idle**: nothing is open; the next [`Request`] is made immediately.
//! - **Waiting**: nothing is open; the request is made when a delay is over.
//! - **Reading**: a session of GetMedia is open.
//! - **FillingGap**: the archive is read for what was missed when the position was lost.
//!
//! A request is for a *session* of GetMedia, or for the *first fragment*: the one that the stream should start with.
//! GetMedia starts after a fragment and would leave it out, so it is fetched from the archive by its number.
//!
//! | in | what happens | to | why |
//! |---|---|---|---|
//! | Idle (first fragment) | it arrives, or is skipped | Idle (session) | GetMedia continues after it |
//! | | it does not arrive | Waiting (the same) | a very recent fragment may arrive later; after three attempts the stream fails |
//! | Idle (session) | the session opens | Reading | |
//! | Idle (session), at first | the position lies in a gap that was being filled | FillingGap | what the archive lacks is noticed again |
//! | Idle, Reading | a failure that may pass | Waiting (the same, or a session) | the service has limits on calls |
//! | | the position is refused | Idle (session) | the next rung of the ladder is another request: no delay |
//! | | the position is lost, and gaps are filled | FillingGap | once for each loss |
//! | Waiting | the delay is over | Idle (the same) | |
//! | Reading | a complete fragment | Reading | the position moves |
//! | | an unterminated fragment | Waiting (session) | it is pulled again; the third time in a row it counts as complete |
//! | | the body ends within a fragment | Waiting (session) | the rest may arrive later: the fragment is pulled again |
//! | | the body ends, and brought a fragment | Idle (session) | the service ends a session after 40 to 50 minutes |
//! | | the body ends, and brought nothing | Waiting (session) | no fragment is ingested: the idle policy decides |
//! | | a silence at the live edge | Waiting (session) | the same, unless the policy calls it a failure |
//! | | its memory is reclaimed | Idle (session) | the session waits until that much memory is available |
//! | | a fragment is broken three times in the same way, or exceeds a limit | Idle (session) | it is skipped, if the settings allow it |
//! | FillingGap | an archived fragment | FillingGap | the position moves |
//! | | the range is done, or cannot be read | Idle (session) | GetMedia continues after the last fragment |
//! | any | an error that another attempt would not resolve | unchanged | [`Puller::next`] returns it |
//!
//! A dropped future of [`Puller::next`] leaves the puller Idle if it was Reading, and otherwise as it was: a partly
//! read session is not used again.

mod edge;
mod event;
#[cfg(feature = "archive")]
mod first;
#[cfg(feature = "archive")]
mod gap;
mod rate;
mod state;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use kvs_mkv::{End, Event, Fragment, FragmentNumber};
use tokio::sync::watch;

use crate::budget::{MemoryBudget, MemoryPermit};
use crate::client::Client;
use crate::error::{Error, ErrorClass};
use crate::pull::{PulledFragment, PullerConfig, StreamSource, Succession, Unparsable, Verdict};
use crate::resume::{Resume, StreamPosition};
use crate::retry::{Backoff, RetryPolicy, RetryState};
use crate::selector::StartSelector;
use crate::session::{Step, Wanted};
use crate::stream_ref::StreamRef;

use edge::LiveEdge;
pub use event::Pulled;
use state::{Reading, Request, State};

/// An unterminated fragment that arrives this many consecutive times is yielded as it is.
const UNTERMINATED_TIMES_MAX: u32 = 3;

/// Pulls one stream with GetMedia.
///
/// Fragments are yielded in order, each once, and never in part; see the [crate] for the contract. [`Puller::next`]
/// yields them, and other events between them.
pub struct Puller {
    source: StreamSource,
    state: State,
    resume: Resume,
    /// Decides which fragments are discontinuities.
    succession: Succession,
    retries: RetryState,
    /// The delays between sessions without fragments.
    idle: Backoff,
    unparsable: Unparsable,
    /// The last unterminated fragment, and how many consecutive times it arrived.
    unterminated: Option<(FragmentNumber, u32)>,
    /// The loss of the position, until it is known which fragment follows it.
    loss: Option<Loss>,
    edge: LiveEdge,
    /// What follows the event that was returned last.
    queued: Option<Pulled>,
}

/// The loss of a position, and what was fetched to fill the gap.
struct Loss {
    /// The position that was lost.
    position: StreamPosition,
    /// How many fragments came from the archive; `None`: it was not searched.
    fetched: Option<u64>,
    /// How many fragments the archive listed but could not send.
    missing: u64,
}

impl Puller {
    /// Creates a puller that starts after `position`, or with `config.start` if there is none.
    pub fn new(
        client: Arc<Client>,
        stream: StreamRef,
        position: Option<StreamPosition>,
        config: PullerConfig,
        budget: MemoryBudget,
    ) -> Self {
        #[cfg_attr(not(feature = "archive"), allow(unused_mut))]
        let mut puller = Self {
            state: State::Idle(Request::of_start(&config, position.as_ref())),
            succession: Succession::after(position.clone()),
            resume: Resume::new(config.start.clone(), position, config.position_lost),
            retries: RetryState::new(config.retry, config.slow_retry_delay),
            idle: Backoff::new(RetryPolicy::new(config.idle.base, config.idle.cap)),
            unparsable: Unparsable::default(),
            unterminated: None,
            loss: None,
            edge: LiveEdge::default(),
            queued: None,
            source: StreamSource::new(client, stream, config, budget),
        };
        #[cfg(feature = "archive")]
        puller.continue_gap();
        puller
    }

    /// Returns what happens next: a fragment, or an event for logs and statuses. Never ends by itself.
    ///
    /// The future may be dropped: that loses nothing but the open session.
    ///
    /// # Errors
    /// When another attempt would not help, and something has to be changed before the stream can be pulled.
    pub async fn next(&mut self) -> Result<Pulled, Error> {
        loop {
            if let Some(queued) = self.queued.take() {
                return Ok(queued);
            }
            let pulled = match &self.state {
                State::Waiting { until, .. } => {
                    tokio::time::sleep_until(*until).await;
                    self.state.wake();
                    None
                }
                State::Idle(Request::Session { readmit_bytes }) => {
                    let readmit_bytes = *readmit_bytes;
                    Some(self.open(readmit_bytes).await?)
                }
                #[cfg(feature = "archive")]
                State::Idle(Request::First { number, .. }) => {
                    let number = number.clone();
                    self.fetch_first(number).await?
                }
                State::Reading(_) => self.read().await?,
                #[cfg(feature = "archive")]
                State::FillingGap(_) => self.fill_gap().await?,
            };
            if let Some(pulled) = pulled {
                return Ok(pulled);
            }
        }
    }

    /// Idle → Reading, or what the failure requires.
    async fn open(&mut self, readmit_bytes: usize) -> Result<Pulled, Error> {
        let Some(selector) = self.resume.selector() else { return Err(self.position_lost()) };
        let is_last_attempt = self.unparsable.is_last_attempt();
        let session = match self.source.open(Wanted::From(&selector), readmit_bytes, is_last_attempt).await {
            Ok(session) => session,
            Err(error) => return self.fail(error).await,
        };
        self.retries.credentials_accepted();
        let opened = Pulled::Opened { selector: selector.kind(), request_id: session.request_id().map(str::to_owned) };
        let from_now = self.source.config.start == StartSelector::Now && self.resume.position().is_none();
        let is_live = from_now || self.edge.has_caught_up();
        self.state = State::Reading(Box::new(Reading::new(session, is_live)));
        Ok(opened)
    }

    /// Reading → depends on what the session returns.
    async fn read(&mut self) -> Result<Option<Pulled>, Error> {
        // Taken out while it is read, so that a dropped future leaves no half-read session.
        let Some(mut reading) = self.state.take_reading() else { return Ok(None) };
        let session = &mut reading.session;
        match session.next().await {
            Ok(Step::Event(Event::Fragment(fragment), permit)) => Ok(Some(self.bring(reading, fragment, permit))),
            Ok(Step::Event(Event::Unterminated(fragment), permit)) => {
                Ok(Some(self.bring_unterminated(reading, fragment, permit)))
            }
            Ok(Step::Event(Event::Error(report), _) | Step::End(End::Event(Event::Error(report)))) => {
                let error = session.in_stream(report);
                self.fail(error).await.map(Some)
            }
            Ok(Step::Evicted { number, held_bytes }) => {
                let request_id = session.request_id().map(str::to_owned);
                self.state = State::Idle(Request::Session { readmit_bytes: held_bytes });
                Ok(Some(Pulled::GaveMemoryBack { number, held_bytes, request_id }))
            }
            Ok(Step::End(End::Cut { number, received_bytes })) => {
                let request_id = session.request_id().map(str::to_owned);
                self.state.wait(self.retries.back_off());
                Ok(Some(Pulled::Waiting { number, received_bytes, request_id }))
            }
            // GetMedia's fragments end with their tokens, so the end of the body completes none.
            Ok(Step::End(End::Clean | End::Event(_))) => {
                self.end(&reading);
                Ok(None)
            }
            // The producer is not sending, which is no failure.
            Err(Error::Silent { .. }) if reading.is_live && !self.source.config.idle.silence_fails => {
                self.end(&reading);
                Ok(None)
            }
            Err(error) => {
                // An error report may have come before the connection broke.
                let error = match session.finish() {
                    Some(End::Event(Event::Error(report))) => session.in_stream(report),
                    _ => error,
                };
                self.fail(error).await.map(Some)
            }
        }
    }

    /// Reading → Reading: a fragment is complete.
    fn bring(&mut self, mut reading: Box<Reading>, fragment: Fragment, permit: MemoryPermit) -> Pulled {
        let mut pulled = PulledFragment::new(fragment, permit, &reading.session);
        self.succession.follow(&mut pulled);
        let (position, millis_behind_now) = (pulled.position(), pulled.fragment.millis_behind_now);
        // When it starts by server time, the service may repeat the last fragment before the loss, which proves
        // nothing.
        let loss = self.loss.take_if(|loss| position.fragment_number > loss.position.fragment_number);
        let lost = loss.map(|loss| Pulled::PositionLost {
            before: loss.position,
            after: position.clone(),
            fetched: loss.fetched,
            missing: loss.missing,
        });
        self.resume.advance(position);
        self.unterminated = None;
        self.unparsable.reset();
        self.retries.succeeded();
        self.idle.reset();
        reading.has_brought = true;
        let about_edge = millis_behind_now.and_then(|millis| self.edge.note(&mut reading, millis, &self.source.config));
        let pulled = Pulled::Fragment(Box::new(pulled));
        self.state = State::Reading(reading);
        match lost {
            // The loss is reported before the fragment that follows it.
            Some(lost) => {
                self.queued = Some(pulled);
                lost
            }
            None => {
                self.queued = about_edge;
                pulled
            }
        }
    }

    /// Reading → Waiting: the next chunk arrived before the fragment's closing tags. The third time in a row → Reading.
    fn bring_unterminated(&mut self, reading: Box<Reading>, fragment: Fragment, permit: MemoryPermit) -> Pulled {
        let times = match self.unterminated.take() {
            Some((number, times)) if number == fragment.number => times + 1,
            _ => 1,
        };
        if times >= UNTERMINATED_TIMES_MAX {
            return self.bring(reading, fragment, permit);
        }
        self.unterminated = Some((fragment.number.clone(), times));
        self.state.wait(self.retries.back_off());
        let request_id = reading.session.request_id().map(str::to_owned);
        Pulled::MissingToken { number: fragment.number, times, request_id }
    }

    /// Reading → Idle or Waiting: the session ended between two fragments.
    fn end(&mut self, reading: &Reading) {
        if reading.has_brought {
            return;
        }
        self.resume.note_empty_session(reading.session.began().unwrap_or_else(SystemTime::now));
        self.state.wait(self.idle.next_delay());
    }

    /// Idle, or Reading whose session has been taken out → what the class of the error requires.
    async fn fail(&mut self, mut error: Error) -> Result<Pulled, Error> {
        let mut class = error.class();
        let after = self.resume.position().map(|position| position.fragment_number.clone());
        let pass_over = self.source.config.pass_over_unparsable;
        match self.unparsable.judge(&mut error, after.as_ref(), self.state.expected(), pass_over) {
            Some(Verdict::PassOver(passed_over)) => {
                self.resume.advance(passed_over.position.clone());
                self.succession.pass_over(&passed_over.position);
                self.retries.succeeded();
                self.state = State::default();
                return Ok(Pulled::PassedOver(Box::new(passed_over)));
            }
            Some(Verdict::GiveUp(given_up)) => return Err(given_up),
            // It exceeds a limit, and its number cannot be read: the third time says so.
            Some(Verdict::Again) if pass_over => class = ErrorClass::Retry,
            Some(Verdict::Again) | None => {}
        }
        self.source.refresh_after(class).await;
        if class == ErrorClass::Position {
            return self.refuse_position(error);
        }
        let Some(delay) = self.retries.failed(class) else { return Err(error) };
        self.state.wait(delay);
        Ok(Pulled::Retrying { error, delay })
    }

    /// Idle → Idle or FillingGap: the service refused the selector.
    fn refuse_position(&mut self, error: Error) -> Result<Pulled, Error> {
        let has_another = self.resume.refuse();
        let fills_gap = self.resume.is_lost() && self.note_lost();
        if has_another || fills_gap { Ok(Pulled::PositionRefused { error }) } else { Err(error) }
    }

    /// Notes the loss of the position. Returns whether the archive is read for what was missed, which changes the
    /// state.
    fn note_lost(&mut self) -> bool {
        let Some(position) = self.resume.position().cloned() else { return false };
        #[cfg(feature = "archive")]
        let fills_gap = self.begin_gap(&position);
        #[cfg(not(feature = "archive"))]
        let fills_gap = false;
        if !fills_gap {
            self.succession.interrupt();
        }
        self.loss.get_or_insert_with(|| Loss { position, fetched: fills_gap.then_some(0), missing: 0 });
        fills_gap
    }

    /// Returns the error for a lost position that ends the stream.
    fn position_lost(&self) -> Error {
        let fragment_number = self.resume.position().map(|position| position.fragment_number.clone());
        Error::PositionLost { stream: self.source.stream.clone(), fragment_number }
    }

    /// Returns a receiver for the time since which the stream has been waiting for memory; `None` while it does not
    /// wait.
    pub fn waits_for_memory(&self) -> watch::Receiver<Option<Instant>> {
        self.source.waits_for_memory()
    }

    /// Returns the position after the last fragment that was yielded or skipped.
    pub fn position(&self) -> Option<&StreamPosition> {
        self.resume.position()
    }

    /// Returns how many attempts have failed since the last fragment, and since when.
    pub fn retries(&self) -> &RetryState {
        &self.retries
    }
}
