//! Fragment after fragment of one stream, session after session.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kvs_mkv::{End, Event, Fragment, FragmentNumber, Limits, Timestamp};

use crate::archive::{ArchivePuller, ArchiveRange, Archived};
use crate::budget::{MemoryBudget, MemoryPermit};
use crate::client::Client;
use crate::error::{Error, ErrorClass};
use crate::resume::{PositionLost, Resume, StreamPosition};
use crate::retry::{Backoff, RetryPolicy};
use crate::selector::StartSelector;
use crate::session::{Session, Step, Wanted};
use crate::stream_ref::StreamRef;

/// A chunk without its token that comes so often running is published as it is.
const ODD_TIMES_MAX: u32 = 3;
/// New credentials are tried so often running before the refusal is believed.
pub(crate) const UNAUTHORIZED_TIMES_MAX: u32 = 3;
/// How long a session's rate is measured before it is compared with the limit.
const RATE_WINDOW: Duration = Duration::from_secs(5);
/// So near to the limit a session counts as being at it.
const RATE_NEAR: f64 = 0.9;

/// How to wait while nothing comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdlePolicy {
    /// The longest delay before the first session after one that brought nothing; it doubles each time.
    pub base: Duration,
    /// The longest delay of all.
    pub cap: Duration,
    /// Whether a session that starts at the live edge and is silent for the inactivity timeout has failed. Default no:
    /// its producer is off.
    pub silence_fails: bool,
}

impl Default for IdlePolicy {
    fn default() -> Self {
        Self { base: Duration::from_millis(250), cap: Duration::from_secs(2), silence_fails: false }
    }
}

/// How to pull a stream.
#[derive(Debug, Clone)]
pub struct PullerConfig {
    /// Where to start when there is no position.
    pub start: StartSelector,
    /// What to do when the position is lost.
    pub position_lost: PositionLost,
    /// Whether the archive is asked for what was missed when the position is lost.
    pub gap_check: bool,
    /// Bounds on a fragment.
    pub limits: Limits,
    /// Room to leave in front of each payload, in bytes.
    pub headroom_bytes: usize,
    /// How to wait after failures.
    pub retry: RetryPolicy,
    /// What an operator has to mend is looked at again so often.
    pub slow_retry_delay: Duration,
    /// How to wait while nothing comes.
    pub idle: IdlePolicy,
    /// Up to so many milliseconds behind the live edge a stream has caught up.
    pub caught_up_ms: i64,
    /// What the service sends a session at most, in bytes a second: 25 MB.
    pub session_bytes_per_second: u64,
}

impl Default for PullerConfig {
    fn default() -> Self {
        Self {
            start: StartSelector::Earliest,
            position_lost: PositionLost::default(),
            gap_check: false,
            limits: Limits::default(),
            headroom_bytes: 0,
            retry: RetryPolicy::default(),
            slow_retry_delay: Duration::from_secs(60),
            idle: IdlePolicy::default(),
            caught_up_ms: 10_000,
            session_bytes_per_second: 25_000_000,
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

/// A position that was lost.
struct Lost {
    position: StreamPosition,
    fetched: u64,
    missing: u64,
    archive_asked: bool,
}

/// Watches whether a session is held back by the service's rate.
#[derive(Default)]
struct RateWatch {
    since: Option<(Instant, u64, i64)>,
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
        /// Id of the request it came with.
        request_id: Option<String>,
    },
    /// A chunk came without its token and another behind it: it is pulled again.
    Odd {
        /// Its number.
        number: FragmentNumber,
        /// How often running.
        times: u32,
        /// Id of the request it came with.
        request_id: Option<String>,
    },
    /// The service refused the position: the next rung of the ladder is tried.
    PositionRefused {
        /// How it was refused.
        error: Error,
    },
    /// The position was lost, and the next fragment is where the stream goes on.
    PositionLost {
        /// The last fragment before.
        before: StreamPosition,
        /// The fragment that comes next.
        after: StreamPosition,
        /// How many fragments between the two were fetched from the archive; `None`: it was not asked.
        fetched: Option<u64>,
        /// How many that the archive had listed could not be had.
        missing: u64,
    },
    /// The stream has come up to the live edge, or fallen behind it.
    CaughtUp {
        /// Up to it.
        caught_up: bool,
        /// How far it is behind, as the service says.
        millis_behind_now: i64,
    },
    /// The stream falls behind, and its session gets what the service gives at most.
    AtRateLimit {
        /// What comes.
        bytes_per_second: u64,
        /// How far it is behind.
        millis_behind_now: i64,
        /// Id of the session's request.
        request_id: Option<String>,
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
        let idle = RetryPolicy { attempts_max: 0, base: config.idle.base, cap: config.idle.cap };
        Self {
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
                Ok(Step::Event(Event::Unfinished(fragment), permit)) => {
                    return Ok(self.odd(session, fragment, permit));
                }
                Ok(Step::Event(Event::Error(report), _) | Step::End(End::Event(Event::Error(report)))) => {
                    return self.fail(session.in_stream(report)).await;
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
        let lost = || Error::Config {
            reason: format!(
                "stream {}: the service knows its position no more, and kvs.position.lost is fail",
                self.stream
            ),
        };
        let selector = self.resume.selector().ok_or_else(lost)?;
        let (limits, headroom) = (self.config.limits, self.config.headroom_bytes);
        let wanted = Wanted::From(&selector);
        let session = Session::open(&self.client, &self.stream, wanted, limits, headroom, &self.budget).await?;
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
        let lost = self.lost.take().map(|lost| Pulled::PositionLost {
            before: lost.position,
            after: position.clone(),
            fetched: lost.archive_asked.then_some(lost.fetched),
            missing: lost.missing,
        });
        self.resume.advance(position);
        self.brought = true;
        self.odd = None;
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
        let bytes_per_second = self.rate.measure(session.received_bytes(), millis_behind_now)?;
        let request_id = session.request_id().map(str::to_owned);
        (bytes_per_second as f64 >= limit as f64 * RATE_NEAR).then_some(Pulled::AtRateLimit {
            bytes_per_second,
            millis_behind_now,
            request_id,
        })
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
        let class = error.class();
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

    /// The position is lost: what was missed is looked for in the archive, if that is wanted.
    fn note_lost(&mut self) {
        let Some(position) = self.resume.position().cloned() else { return };
        let asked_before = self.lost.as_ref().is_some_and(|lost| lost.archive_asked);
        if let (true, false, Some(from)) = (self.config.gap_check, asked_before, position.server_timestamp) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let to = Timestamp::from_millis(i64::try_from(now.as_millis()).unwrap_or(i64::MAX)).max(from);
            self.gap = Some(Box::new(ArchivePuller::new(
                Arc::clone(&self.client),
                self.stream.clone(),
                ArchiveRange { from, to },
                Some(&position),
                self.config.clone(),
                self.budget.clone(),
            )));
        }
        if self.lost.is_none() {
            self.lost = Some(Lost { position, fetched: 0, missing: 0, archive_asked: self.gap.is_some() });
        }
    }

    /// What the archive has. `None`: it is done, and the stream goes on by GetMedia.
    async fn fill_gap(&mut self) -> Result<Option<Pulled>, Error> {
        let Some(gap) = &mut self.gap else { return Ok(None) };
        match gap.next().await {
            Ok(Archived::Fragment(pulled)) => {
                // From here on the stream can be resumed by this fragment's number.
                self.resume.advance(StreamPosition::after(&pulled.fragment));
                if let Some(lost) = &mut self.lost {
                    lost.fetched += 1;
                }
                Ok(Some(Pulled::Fragment(pulled)))
            }
            Ok(Archived::Missing { numbers }) => {
                if let Some(lost) = &mut self.lost {
                    lost.missing += numbers.len() as u64;
                }
                Ok(None)
            }
            Ok(Archived::Retrying { error, delay }) => Ok(Some(Pulled::Retrying { error, delay })),
            Ok(Archived::Done) => {
                self.gap = None;
                Ok(None)
            }
            // The archive cannot be had: what was missed stays unknown, the stream goes on.
            Err(error) => {
                self.gap = None;
                Ok(Some(Pulled::Retrying { error, delay: Duration::ZERO }))
            }
        }
    }

    /// The last fragment that was yielded.
    pub fn position(&self) -> Option<&StreamPosition> {
        self.resume.position()
    }
}

impl RateWatch {
    /// Bytes a second over the last window, when it is over and the stream has fallen behind in it.
    fn measure(&mut self, received_bytes: u64, millis_behind_now: i64) -> Option<u64> {
        let now = Instant::now();
        let (since, bytes_before, behind_before) = *self.since.get_or_insert((now, received_bytes, millis_behind_now));
        let elapsed = now.duration_since(since);
        if elapsed < RATE_WINDOW {
            return None;
        }
        self.since = Some((now, received_bytes, millis_behind_now));
        let rate = (received_bytes - bytes_before) as f64 / elapsed.as_secs_f64();
        (millis_behind_now > behind_before).then_some(rate as u64)
    }
}
