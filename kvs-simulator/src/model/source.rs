//! Which file is played into a stream, how often, and at which pace.

use std::path::PathBuf;

/// How often a file is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// This many times, at least once.
    Times(u64),
    /// Without end.
    Forever,
}

/// When the fragments of a file arrive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// All fragments are there from the start. If there is no end of them, or if they are more than a stream holds
    /// ([`Limits::stream_fragments`](crate::Limits::stream_fragments)), they are made as readers ask for them.
    Max,
    /// At the pace of the media's own timestamps.
    Realtime,
    /// At a constant rate.
    FragmentsPerSecond(f64),
}

/// A stream and the file that is played into it.
#[derive(Debug, Clone)]
pub struct StreamSource {
    /// Name of the stream.
    pub name: String,
    /// A recording of GetMedia, or any MKV file.
    pub file: PathBuf,
    /// How often the file is played.
    pub repeat: Repeat,
    /// When its fragments arrive.
    pub pace: Pace,
}
