//! How a stream is pulled.

use std::time::Duration;

use kvs_mkv::Limits;

use crate::resume::PositionLost;
use crate::retry::RetryPolicy;
use crate::selector::StartSelector;

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
    /// Whether a start by a fragment's number begins with that fragment itself, which the archive has to have.
    pub start_inclusive: bool,
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
            start_inclusive: false,
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
