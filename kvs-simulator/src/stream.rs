//! A stream: what it holds, and what comes to it as time goes on.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kvs_mkv::{FragmentNumber, LeadingTags, Timestamp, TrailingTags};
use num_bigint::BigUint;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::limits::Limits;
use crate::number;
use crate::source::{Media, NotWhole, Pace, Repeat, Template, writer};

/// Between the producer's clock and the service's, for what was not recorded.
const PRODUCER_LAG_MILLIS: i64 = 150;
/// By how much the counter grows from one play of a file to the next: as at a new session of a producer.
const SESSION_COUNTER_STEP: u64 = 1_000;

/// A stream of the account.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) version: String,
    pub(crate) created_seconds: f64,
    pub(crate) retention_hours: u64,
    pub(crate) media_type: Option<String>,
    pub(crate) connections: Arc<Semaphore>,
    media: Media,
    repeat: Repeat,
    pace: Pace,
    started: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Vec<Arc<Held>>,
    /// When the latest calls of GetMedia came.
    calls: Vec<Instant>,
}

/// A fragment that has been ingested.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) number: FragmentNumber,
    pub(crate) token: String,
    pub(crate) server_millis: i64,
    pub(crate) producer_millis: i64,
    takes_millis: i64,
    millis_behind_now: i64,
    value: BigUint,
    template: Arc<Template>,
    as_recorded: bool,
    digest: OnceLock<(String, u64)>,
}

/// A row of `/simulator/streams/NAME/fragments`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FragmentRow {
    fragment_number: String,
    sha256: String,
    size_bytes: u64,
    server_timestamp_ms: i64,
    producer_timestamp_ms: i64,
    continuation_token: String,
}

/// What a reader gets when it asks for the next fragment.
pub(crate) enum Next {
    Fragment(Arc<Held>),
    /// One comes at that time.
    At(Instant),
    /// Nobody produces any more.
    Never,
}

impl Stream {
    pub(crate) fn new(name: &str, arn: String, media: Media, repeat: Repeat, pace: Pace, limits: &Limits) -> Self {
        Self {
            name: name.to_owned(),
            arn,
            version: format!("{:016x}", number::mix(name, 0)),
            created_seconds: now_millis() as f64 / 1000.0,
            retention_hours: 24,
            media_type: None,
            connections: Arc::new(Semaphore::new(limits.get_media_connections)),
            media,
            repeat,
            pace,
            started: Instant::now(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn not_whole(&self) -> &[NotWhole] {
        &self.media.not_whole
    }

    /// Whether one more call of GetMedia is within the limit; if so it is counted.
    pub(crate) fn admit_call(&self, limits: &Limits) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        state.calls.retain(|&call| now.duration_since(call) < Duration::from_secs(1));
        if state.calls.len() >= limits.get_media_calls_per_second {
            return false;
        }
        state.calls.push(now);
        true
    }

    /// The fragment at `index`, ingesting what is due.
    pub(crate) fn next(&self, index: usize) -> Next {
        let mut state = self.lock();
        self.ingest(&mut state, index);
        match state.held.get(index) {
            Some(held) => Next::Fragment(Arc::clone(held)),
            None => self.due(state.held.len() as u64).map_or(Next::Never, Next::At),
        }
    }

    /// Everything that has been ingested.
    pub(crate) fn held(&self) -> Vec<Arc<Held>> {
        let mut state = self.lock();
        let wanted = if self.repeat == Repeat::Forever && self.pace == Pace::Max { 0 } else { usize::MAX };
        self.ingest(&mut state, wanted);
        state.held.clone()
    }

    /// How many fragments of the file have been played for those held, and when the next one is due.
    fn due(&self, index: u64) -> Option<Instant> {
        let per_play = self.media.chunks.len() as u64;
        let play = index.checked_div(per_play)?;
        if let Repeat::Times(times) = self.repeat
            && play >= times
        {
            return None;
        }
        let after = match self.pace {
            Pace::Max => Duration::ZERO,
            Pace::FragmentsPerSecond(rate) => Duration::from_secs_f64(index as f64 / rate),
            Pace::Realtime => {
                let template = &self.media.chunks[(index % per_play) as usize];
                // A fragment is there when its last frame has been taken.
                self.media.period * u32::try_from(play).unwrap_or(u32::MAX) + template.begins + template.takes
            }
        };
        Some(self.started + after)
    }

    /// Takes in what is due, of an endless stream at full speed up to `wanted` only.
    fn ingest(&self, state: &mut State, wanted: usize) {
        let now = Instant::now();
        let on_demand = self.repeat == Repeat::Forever && self.pace == Pace::Max;
        while let Some(due) = self.due(state.held.len() as u64) {
            if due > now || (on_demand && state.held.len() > wanted) {
                return;
            }
            let held = self.make(state.held.len() as u64, state.held.last());
            let Some(held) = held else { return };
            state.held.push(Arc::new(held));
        }
    }

    fn make(&self, index: u64, before: Option<&Arc<Held>>) -> Option<Held> {
        let per_play = self.media.chunks.len() as u64;
        let play = index / per_play;
        let template = Arc::clone(&self.media.chunks[(index % per_play) as usize]);
        let takes_millis = millis(template.takes);
        if let Some(recorded) = &template.recorded {
            let first = self.media.chunks.first()?.recorded.as_ref()?;
            let last_template = self.media.chunks.last()?;
            let last = last_template.recorded.as_ref()?;
            let play_millis = last.server_millis - first.server_millis + millis(last_template.takes);
            let shift_millis = play_millis.max(0) * i64::try_from(play).ok()?;
            let span = number::from_number(&last.number)
                - number::from_number(&first.number).min(number::from_number(&last.number));
            let step = span + number::distance(SESSION_COUNTER_STEP, play_millis.unsigned_abs());
            let value = number::from_number(&recorded.number) + step * play;
            let number = number::to_number(&value)?;
            let as_recorded = play == 0;
            return Some(Held {
                token: if as_recorded { recorded.token.clone() } else { number.as_str().to_owned() },
                number,
                server_millis: recorded.server_millis + shift_millis,
                producer_millis: recorded.producer_millis + shift_millis,
                takes_millis,
                millis_behind_now: recorded.millis_behind_now,
                value,
                template,
                as_recorded,
                digest: OnceLock::new(),
            });
        }
        let live = self.pace != Pace::Max;
        let at_least = before.map_or(i64::MIN, |before| before.server_millis + 1);
        let server_millis = now_millis().max(at_least);
        // Mostly by 1, by a hole of up to 8 at times, by about 1,000 when the file begins again.
        let hole = match number::mix(&self.name, index) % 8 {
            0 => 2 + number::mix(&self.name, index + 1) % 7,
            _ => 1,
        };
        let counter_before = before.map(|before| counter_of(&before.value));
        let step = if index.is_multiple_of(per_play) { SESSION_COUNTER_STEP } else { hole };
        let counter = counter_before.map_or(1 << 40, |counter| counter + step);
        let other = (number::mix(&self.name, index.wrapping_add(77)) & 0x0FFF_FFFF) as u32;
        let value = number::compose(counter, server_millis.unsigned_abs(), other);
        let number = number::to_number(&value)?;
        let played = self.media.period * u32::try_from(play).unwrap_or(u32::MAX) + template.begins;
        let stored_millis =
            millis(self.media.period) * i64::try_from(self.repeat_count()).unwrap_or(0) - millis(played);
        Some(Held {
            token: number.as_str().to_owned(),
            number,
            server_millis,
            producer_millis: server_millis - PRODUCER_LAG_MILLIS,
            takes_millis,
            millis_behind_now: if live { 0 } else { (stored_millis - takes_millis).max(0) },
            value,
            template,
            as_recorded: false,
            digest: OnceLock::new(),
        })
    }

    fn repeat_count(&self) -> u64 {
        match self.repeat {
            Repeat::Times(times) => times,
            Repeat::Forever => 0,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing panics while it is held, and its parts are changed one by one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn counter_of(value: &BigUint) -> u64 {
    let counter: BigUint = (value >> 92_u32) - (BigUint::from(1_u8) << 64_u32);
    counter.iter_u64_digits().next().unwrap_or(0)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn now_millis() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

impl Held {
    /// The chunk's bytes, in pieces that are shared and not copied.
    pub(crate) fn pieces(&self) -> Vec<Bytes> {
        if let (true, Some(recorded)) = (self.as_recorded, &self.template.recorded) {
            return vec![recorded.bytes.clone()];
        }
        let leading = writer().leading_tags(&LeadingTags {
            number: self.number.clone(),
            server_timestamp: Timestamp::from_millis(self.server_millis),
            producer_timestamp: Timestamp::from_millis(self.producer_millis),
        });
        let trailing = writer().trailing_tags(&TrailingTags {
            millis_behind_now: self.millis_behind_now,
            continuation_token: self.token.clone(),
        });
        let [head, media, tail] = self.template.parts.clone();
        let pieces = [head, Bytes::from(leading), media, Bytes::from(trailing), tail];
        pieces.into_iter().filter(|piece| !piece.is_empty()).collect()
    }

    /// When its media is over, by a clock that begins with it.
    pub(crate) fn ends_millis(&self, begins_millis: i64) -> i64 {
        begins_millis + self.takes_millis.max(1)
    }

    pub(crate) fn row(&self) -> FragmentRow {
        let (sha256, size_bytes) = self
            .digest
            .get_or_init(|| {
                let mut hash = Sha256::new();
                let mut size_bytes = 0;
                for piece in self.pieces() {
                    hash.update(&piece);
                    size_bytes += piece.len() as u64;
                }
                let hex = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
                (hex, size_bytes)
            })
            .clone();
        FragmentRow {
            fragment_number: self.number.as_str().to_owned(),
            sha256,
            size_bytes,
            server_timestamp_ms: self.server_millis,
            producer_timestamp_ms: self.producer_millis,
            continuation_token: self.token.clone(),
        }
    }
}
