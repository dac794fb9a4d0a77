//! GetMedia's limits (docs/GETMEDIA.md, "Limits and habits of the service").

use std::time::Duration;

use kvs_api::Operation;

use crate::clock::millis;

/// What the service allows, and when it ends or drops something by itself.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Whether calls are counted at all.
    pub calls: bool,
    /// GetMedia calls a second and stream: 5.
    pub get_media_calls_per_second: usize,
    /// Calls a second and stream of each other operation: 5.
    pub stream_calls_per_second: usize,
    /// GetMedia sessions a stream at once: 3.
    pub get_media_connections: usize,
    /// GetMediaForFragmentList sessions a stream at once: 5.
    pub archive_connections: usize,
    /// Bytes a second of a session; the service's limit is 25 MB. None by default, for tests of speed.
    pub session_bytes_per_second: Option<u64>,
    /// Without a new fragment for so long the body ends: 3 s.
    pub idle_timeout: Duration,
    /// A session ends after so long: 45 min.
    pub session_duration: Duration,
    /// How long an hour of retention takes: an hour.
    pub retention_hour: Duration,
    /// Of a stream without retention so much is readable for so long: 200 MB, 5 min.
    pub buffer_size_bytes: usize,
    /// See `buffer_size_bytes`.
    pub buffer_duration: Duration,
    /// What producers have sent and a stream holds in memory, at most: 1 GiB. The oldest goes first.
    pub stream_size_bytes: usize,
    /// Fragments that a stream holds of its file, at most: 100,000. The oldest goes first. A file that is played at full
    /// pace and has more is played as far as it is read.
    pub stream_fragments: usize,
    /// A producer that sends nothing hears IDLE so often: 5 s.
    pub put_idle_interval: Duration,
    /// A producer that sends nothing for so long is cut off: 30 s.
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

    /// Calls a second and account (AWS developer guide, limits); `None`: there is no such limit.
    pub(crate) fn account_calls_per_second(operation: Operation) -> Option<usize> {
        match operation {
            Operation::DescribeStream | Operation::GetDataEndpoint => Some(300),
            Operation::GetMedia
            | Operation::PutMedia
            | Operation::ListFragments
            | Operation::GetMediaForFragmentList => None,
            _ => Some(50),
        }
    }
}
