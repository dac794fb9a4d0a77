//! Which of a track's frames are wanted.
//!
//! **Contract.** The decision about a frame depends on the frame and on a [`SampleState`] alone, which is two integers. Whoever
//! commits the state together with the frames and continues with it after a crash chooses the same frames as without the
//! crash.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

/// How far a frame's time may lie behind that of an earlier one because of the order of decoding, in nanoseconds. A time
/// further back belongs to a producer that has started again.
const REORDER_MAX_NS: i64 = 2_000_000_000;

/// A choice of a track's frames. Its text is one of
///
/// - `all`;
/// - `key`: frames at which decoding can begin, which are all frames of audio;
/// - `every:5`: the first frame, then every fifth;
/// - `interval:2s`: the first frame of each two seconds, counted from the time 0. In decode order: with B-frames it need not
///   be the earliest;
/// - `key,every:5` and `key,interval:2s`: the same, of the frames that `key` chooses.
///
/// A frame that is not a key frame can only be decoded with all frames since the last key frame. `every` and `interval` alone are
/// therefore of use for codecs whose frames are all key frames, such as Motion JPEG and PCM, and for counting; for pictures of
/// H.264 and H.265 at intervals, use them with `key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct FrameSample {
    /// Whether only frames at which decoding can begin are considered.
    key: bool,
    pick: Pick,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum Pick {
    #[default]
    All,
    Every(NonZeroU64),
    /// Nanoseconds, at least 1.
    Interval(i64),
}

/// What a choice has to remember between frames: one for each track of each stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SampleState {
    /// Frames since the last chosen one, which counts.
    since: u64,
    /// Number of the interval that a frame was chosen in last.
    interval: Option<i64>,
}

/// The text is no choice of frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no choice of frames: {reason}")]
pub struct BadSample {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl FrameSample {
    /// All frames.
    pub const ALL: Self = Self { key: false, pick: Pick::All };
    /// Frames at which decoding can begin.
    pub const KEY: Self = Self { key: true, pick: Pick::All };

    /// Returns whether a frame is chosen, and remembers it. `random_access` is
    /// [`Frame::random_access`](crate::Frame::random_access); `time_ns` is the frame's time in nanoseconds since 1970 or, if
    /// that is not known, since the producer's start.
    ///
    /// A time that lies more than two seconds before the interval that a frame was chosen in last begins anew.
    pub fn selects(&self, state: &mut SampleState, random_access: bool, time_ns: i64) -> bool {
        if self.key && !random_access {
            return false;
        }
        match self.pick {
            Pick::All => true,
            Pick::Every(count) => {
                // The count may be another one than when the state was written.
                let chosen = state.since == 0 || state.since >= count.get();
                state.since = if chosen { 1 } else { state.since + 1 } % count.get();
                chosen
            }
            Pick::Interval(interval_ns) => {
                let interval = time_ns.div_euclid(interval_ns);
                let chosen = state.interval.is_none_or(|last| {
                    let began_ns = last.saturating_mul(interval_ns);
                    interval > last || time_ns < began_ns.saturating_sub(REORDER_MAX_NS)
                });
                if chosen {
                    // The smallest number stands for none.
                    state.interval = Some(interval.max(i64::MIN + 1));
                }
                chosen
            }
        }
    }
}

impl SampleState {
    /// Returns the state as integers, for storing.
    pub fn to_integers(self) -> [i64; 2] {
        [i64::try_from(self.since).unwrap_or(i64::MAX), self.interval.unwrap_or(i64::MIN)]
    }

    /// Returns the state from what [`SampleState::to_integers`] returned. Any integers make a state.
    pub fn from_integers([since, interval]: [i64; 2]) -> Self {
        Self { since: u64::try_from(since).unwrap_or(0), interval: (interval != i64::MIN).then_some(interval) }
    }
}

impl FromStr for FrameSample {
    type Err = BadSample;

    fn from_str(text: &str) -> Result<Self, BadSample> {
        let bad = |reason| BadSample { text: text.to_owned(), reason };
        let (key, rest) = match text.trim() {
            "all" => return Ok(Self::ALL),
            "key" => return Ok(Self::KEY),
            other => other.strip_prefix("key,").map_or((false, other), |rest| (true, rest)),
        };
        let pick = if let Some(count) = rest.strip_prefix("every:") {
            let count = count.parse().map_err(|_| bad("after every: a number from 1 is expected"))?;
            Pick::Every(count)
        } else if let Some(duration) = rest.strip_prefix("interval:") {
            let duration: Duration = humantime::parse_duration(duration)
                .map_err(|_| bad("after interval: a duration with its unit is expected, such as 2s or 500ms"))?;
            let interval_ns = i64::try_from(duration.as_nanos()).ok().filter(|&interval_ns| interval_ns > 0);
            Pick::Interval(interval_ns.ok_or_else(|| bad("the interval has to be from 1ns to 292 years"))?)
        } else {
            return Err(bad(
                "expected is all, key, every:N, interval:2s, or among the key frames key,every:N or key,interval:2s",
            ));
        };
        Ok(Self { key, pick })
    }
}

impl fmt::Display for FrameSample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.key { "key," } else { "" };
        match self.pick {
            Pick::All => formatter.write_str(if self.key { "key" } else { "all" }),
            Pick::Every(count) => write!(formatter, "{key}every:{count}"),
            Pick::Interval(interval_ns) => {
                let duration = Duration::from_nanos(interval_ns.unsigned_abs());
                // Without the spaces between units.
                let text = humantime::format_duration(duration).to_string().replace(' ', "");
                write!(formatter, "{key}interval:{text}")
            }
        }
    }
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
