//! How a stream is pulled: where it starts, how failures are handled, and how long it waits.

use std::time::Duration;

use kvs_mkv::Limits;

use crate::resume::PositionLost;
use crate::retry::RetryPolicy;
use crate::selector::StartSelector;

/// How long to wait while a stream has no new fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdlePolicy {
    /// The upper bound of the delay after the first session without fragments; it doubles with each further one.
    /// Default: 250 ms.
    pub base: Duration,
    /// The upper bound of every delay. Default: 2 s.
    pub cap: Duration,
    /// Whether a session at the live edge that is silent for the inactivity timeout has failed. Default: no, its
    /// producer is just not sending.
    pub silence_fails: bool,
}

impl Default for IdlePolicy {
    fn default() -> Self {
        Self { base: Duration::from_millis(250), cap: Duration::from_secs(2), silence_fails: false }
    }
}

/// How to pull a stream.
///
/// ```
/// let mut config = kvs_client::PullerConfig::default();
/// config.start = kvs_client::StartSelector::Now;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PullerConfig {
    /// Where to start without a position. Default: with the earliest fragment.
    pub start: StartSelector,
    /// Whether a start by fragment number begins with that fragment itself, which must be in the archive. Default: no,
    /// it begins after the fragment, as GetMedia does.
    #[cfg(feature = "archive")]
    pub start_inclusive: bool,
    /// What to do when the service no longer knows the position.
    pub position_lost: PositionLost,
    /// Whether to fetch from the archive what was missed when the position was lost. Default: no.
    #[cfg(feature = "archive")]
    pub gap_check: bool,
    /// Whether to skip a fragment that is broken in the same way each time it is pulled. Default: no, the stream fails.
    pub pass_over_unparsable: bool,
    /// How many bytes of a skipped fragment to keep ([`PassedOver::raw`](crate::PassedOver::raw)), at most. Default: 0, none.
    pub raw_max_bytes: usize,
    /// The bounds on a fragment.
    pub limits: Limits,
    /// How many bytes to leave free in front of each payload. Default: 0.
    pub headroom_bytes: usize,
    /// How many bytes of the memory budget each byte of a fragment takes: 1, and 1 more for each copy that is made of it while
    /// its permit is held. Default: 1; 0 counts as 1.
    pub memory_factor: u32,
    /// How to wait after failures.
    pub retry: RetryPolicy,
    /// How long to wait after an error that an operator has to resolve. Default: 60 s.
    pub slow_retry_delay: Duration,
    /// How long to wait while there are no new fragments.
    pub idle: IdlePolicy,
    /// How far behind the live edge, in milliseconds, a stream still counts as caught up. Default: 10,000.
    pub caught_up_ms: i64,
    /// The service's limit for a session, in bytes per second. Default: 25 MB.
    pub session_bytes_per_second: u64,
}

impl Default for PullerConfig {
    fn default() -> Self {
        Self {
            start: StartSelector::Earliest,
            #[cfg(feature = "archive")]
            start_inclusive: false,
            position_lost: PositionLost::default(),
            #[cfg(feature = "archive")]
            gap_check: false,
            pass_over_unparsable: false,
            raw_max_bytes: 0,
            limits: Limits::default(),
            headroom_bytes: 0,
            memory_factor: 1,
            retry: RetryPolicy::default(),
            slow_retry_delay: Duration::from_secs(60),
            idle: IdlePolicy::default(),
            caught_up_ms: 10_000,
            session_bytes_per_second: 25_000_000,
        }
    }
}
