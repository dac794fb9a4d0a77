//! The service's limits (AWS developer guide, "Kinesis Video Streams quotas").

use std::time::Duration;

use crate::clock::millis;

/// What the simulated service allows, and when it ends or drops something by itself.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Whether calls beyond the limits are refused.
    pub calls: bool,
    /// Calls of GetMedia per second and stream: 5.
    pub get_media_calls_per_second: usize,
    /// Calls per second and stream of each other operation: 5.
    pub stream_calls_per_second: usize,
    /// Concurrent sessions of GetMedia per stream: 3.
    pub get_media_connections: usize,
    /// Concurrent sessions of GetMediaForFragmentList per stream: 5.
    pub archive_connections: usize,
    /// Bytes per second and session. The service's limit is 25 MB; unlimited by default, for tests of throughput.
    pub session_bytes_per_second: Option<u64>,
    /// Time without a new fragment after which a session of GetMedia ends: 3 s.
    pub idle_timeout: Duration,
    /// Time after which a session ends: 45 min.
    pub session_duration: Duration,
    /// Duration of an hour of retention: an hour. Tests shorten it.
    pub retention_hour: Duration,
    /// Bytes that stay readable in a stream without retention: 200 MB.
    pub buffer_size_bytes: usize,
    /// Time for which they stay readable: 5 min.
    pub buffer_duration: Duration,
    /// The maximum number of bytes of producers' fragments that a stream holds in memory: 1 GiB. The oldest fragments
    /// are dropped first.
    pub stream_size_bytes: usize,
    /// The maximum number of a file's fragments that a stream holds: 100,000. The oldest are dropped first. Of a longer
    /// file played at [`Pace::Max`](crate::Pace::Max), fragments are made as readers ask for them.
    pub stream_fragments: usize,
    /// Interval of the IDLE acknowledgements to a producer that sends nothing: 5 s.
    pub put_idle_interval: Duration,
    /// Time after which the session of a producer that sends nothing ends: 30 s.
    pub put_idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: true,
            get_media_calls_per_second: 5,
            stream_calls_per_second: 5,
            get_media_connections: 3,
            archive_connections: 5,
            session_bytes_per_second: None,
            idle_timeout: Duration::from_secs(3),
            session_duration: Duration::from_secs(45 * 60),
            retention_hour: Duration::from_secs(3600),
            buffer_size_bytes: 200_000_000,
            buffer_duration: Duration::from_secs(300),
            stream_size_bytes: 1 << 30,
            stream_fragments: 100_000,
            put_idle_interval: Duration::from_secs(5),
            put_idle_timeout: Duration::from_secs(30),
        }
    }
}

impl Limits {
    pub(crate) fn retention_millis(&self, hours: u64) -> i64 {
        millis(self.retention_hour).saturating_mul(i64::try_from(hours).unwrap_or(i64::MAX))
    }

    pub(crate) fn buffer_millis(&self) -> i64 {
        millis(self.buffer_duration)
    }
}
