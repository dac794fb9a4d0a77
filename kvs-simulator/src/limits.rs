//! GetMedia's limits (`getmedia.md`, "Limits and habits of the service").

use std::time::Duration;

/// What the service allows a stream, and when it ends a session by itself.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// GetMedia calls a second and stream: 5.
    pub get_media_calls_per_second: usize,
    /// GetMedia sessions a stream at once: 3.
    pub get_media_connections: usize,
    /// Without a new fragment for so long the body ends: 3 s.
    pub idle_timeout: Duration,
    /// A session ends after so long: 45 min.
    pub session_duration: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            get_media_calls_per_second: 5,
            get_media_connections: 3,
            idle_timeout: Duration::from_secs(3),
            session_duration: Duration::from_secs(45 * 60),
        }
    }
}
