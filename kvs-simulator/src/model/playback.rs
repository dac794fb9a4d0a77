//! A file played into a stream: which fragment arrives when.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::fragment::{MillisBehindNow, StoredFragment};
use super::media::{Media, Unterminated};
use super::number;
use super::source::{Pace, Repeat};
use crate::clock::{Clock, millis};

/// Time from producer timestamp to server timestamp, for files that are not recordings.
const PRODUCER_LAG_MILLIS: i64 = 150;

/// A file with its repetitions and pace; an empty one for streams that producers fill.
#[derive(Debug)]
pub(crate) struct Playback {
    stream: String,
    media: Media,
    repeat: Repeat,
    pace: Pace,
    started: Instant,
    started_millis: i64,
    /// Set when no more fragments are to arrive.
    ended: AtomicBool,
    /// Whether fragments are made when readers ask for them: all are due at once and too many to be held.
    on_demand: bool,
}

impl Playback {
    /// Starts playing. `fragments_max` is the maximum number of fragments that the stream holds.
    pub(crate) fn new(
        stream: &str,
        media: Media,
        repeat: Repeat,
        pace: Pace,
        clock: Clock,
        fragments_max: usize,
    ) -> Self {
        let (started, started_millis) = (Instant::now(), clock.now_millis());
        let ended = AtomicBool::new(false);
        // Media without duration is played at full pace in any case.
        let at_once = pace == Pace::Max || (pace == Pace::Realtime && media.period.is_zero());
        let too_many = match repeat {
            Repeat::Forever => true,
            Repeat::Times(times) => (media.chunks.len() as u64).saturating_mul(times) > fragments_max as u64,
        };
        let on_demand = at_once && too_many;
        Self { stream: stream.to_owned(), media, repeat, pace, started, started_millis, ended, on_demand }
    }

    pub(crate) fn unterminated(&self) -> &[Unterminated] {
        &self.media.unterminated
    }

    /// Returns whether fragments are made when readers ask for them, because they are endless or too many to be held.
    pub(crate) fn on_demand(&self) -> bool {
        self.on_demand
    }

    /// Ends playing: no more fragments arrive, as if the file had been played to its end.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Returns when the fragment with this index is due, or `None` if there is none.
    pub(crate) fn due(&self, index: u64) -> Option<Instant> {
        if self.ended.load(Ordering::Acquire) {
            return None;
        }
        let per_play = self.media.chunks.len() as u64;
        let play = index.checked_div(per_play)?;
        if let Repeat::Times(times) = self.repeat
            && play >= times
        {
            return None;
        }
        let after = match self.pace {
            Pace::Max => Duration::ZERO,
            Pace::FragmentsPerSecond(rate) => Duration::try_from_secs_f64(index as f64 / rate).ok()?,
            Pace::Realtime => {
                let template = &self.media.chunks[(index % per_play) as usize];
                // A fragment is available when its last frame has been captured.
                let played = self.media.period.checked_mul(u32::try_from(play).ok()?)?;
                played.checked_add(template.start)?.checked_add(template.duration)?
            }
        };
        // A time that the clock cannot represent never comes.
        self.started.checked_add(after)
    }

    fn is_due(&self, index: u64, now: Instant) -> bool {
        self.due(index).is_some_and(|due| due <= now)
    }

    /// Returns the index after the last one that is due, given that all up to `from` are.
    fn due_by(&self, from: u64, now: Instant) -> u64 {
        let mut step = 1_u64;
        while self.is_due(from.saturating_add(step), now) && step < u64::MAX / 2 {
            step *= 2;
        }
        let (mut due, mut not_due) = (from, from.saturating_add(step));
        while not_due - due > 1 {
            let middle = due + (not_due - due) / 2;
            if self.is_due(middle, now) { due = middle } else { not_due = middle }
        }
        not_due
    }

    /// Returns the first index worth making if `played` is the next one and the stream holds `fragments_max` fragments:
    /// the ones before it would be dropped at once. Returns `None` if nothing has to be skipped.
    pub(crate) fn skip_to(&self, played: u64, fragments_max: usize, now: Instant) -> Option<u64> {
        let behind = played.checked_add(fragments_max as u64)?;
        if self.on_demand || !self.is_due(behind, now) {
            return None;
        }
        Some(self.due_by(behind, now).saturating_sub(fragments_max as u64))
    }

    /// Makes the fragment with this index, which follows `before`. Returns `None` if there is no number left for it.
    pub(crate) fn make(
        &self,
        index: u64,
        before: Option<&Arc<StoredFragment>>,
        clock: Clock,
    ) -> Option<StoredFragment> {
        let per_play = self.media.chunks.len() as u64;
        let play = index / per_play;
        let template = Arc::clone(&self.media.chunks[(index % per_play) as usize]);
        let duration_millis = millis(template.duration);
        let ingested_millis = clock.now_millis();
        if let Some(recorded) = &template.recorded {
            let first = self.media.chunks.first()?.recorded.as_ref()?;
            let last_template = self.media.chunks.last()?;
            let last = last_template.recorded.as_ref()?;
            let play_millis = play_millis(first.server_millis, last.server_millis, millis(last_template.duration));
            let shift_millis = play_millis.saturating_mul(i64::try_from(play).ok()?);
            let span = number::from_number(&last.number)
                - number::from_number(&first.number).min(number::from_number(&last.number));
            let step = span + number::distance(number::SESSION_COUNTER_STEP, play_millis.unsigned_abs());
            let value = number::from_number(&recorded.number) + step * play;
            let number = number::to_number(&value)?;
            let as_recorded = play == 0;
            return Some(StoredFragment {
                token: if as_recorded { recorded.token.clone() } else { number.as_str().to_owned() },
                number,
                server_millis: recorded.server_millis.saturating_add(shift_millis),
                producer_millis: recorded.producer_millis.saturating_add(shift_millis),
                duration_millis,
                ingested_millis,
                behind: MillisBehindNow::Fixed(recorded.millis_behind_now),
                value,
                template,
                as_recorded,
                digest: OnceLock::new(),
            });
        }
        let live = self.pace != Pace::Max;
        let at_least = before.map_or(i64::MIN, |before| before.server_millis.saturating_add(1));
        let period_millis = millis(self.media.period);
        let played_millis =
            period_millis.saturating_mul(i64::try_from(play).ok()?).saturating_add(millis(template.start));
        let all_millis = period_millis.saturating_mul(i64::try_from(self.repeat_count()).unwrap_or(i64::MAX));
        let server_millis = match live {
            // The time at which it was due: the stream may not have been looked at since.
            true => {
                self.started_millis.saturating_add(millis(self.due(index)?.saturating_duration_since(self.started)))
            }
            // As if it had been recorded up to now; an endless file continues from now.
            false => self.started_millis.saturating_sub(all_millis).max(0).saturating_add(played_millis),
        };
        let server_millis = server_millis.max(at_least);
        // The counter grows mostly by 1, sometimes by up to 8, and by 1,000 when the file starts again.
        let hole = match number::mix(&self.stream, index) % 8 {
            0 => 2 + number::mix(&self.stream, index + 1) % 7,
            _ => 1,
        };
        let step = if index.is_multiple_of(per_play) { number::SESSION_COUNTER_STEP } else { hole };
        let before = before.map(|before| &before.value);
        let (number, value) = number::following(before, step, server_millis, ingested_millis, &self.stream)?;
        let stored_millis = all_millis.saturating_sub(played_millis);
        Some(StoredFragment {
            token: number.as_str().to_owned(),
            number,
            server_millis,
            producer_millis: server_millis.saturating_sub(PRODUCER_LAG_MILLIS),
            duration_millis,
            ingested_millis,
            behind: MillisBehindNow::Fixed(if live { 0 } else { (stored_millis - duration_millis).max(0) }),
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
}

/// Returns a recording's duration by its own timestamps, which may be any numbers; never below 0.
fn play_millis(first_millis: i64, last_millis: i64, last_duration_millis: i64) -> i64 {
    last_millis.saturating_sub(first_millis).saturating_add(last_duration_millis).max(0)
}

#[cfg(test)]
#[path = "playback_tests.rs"]
mod tests;
