//! What a topic has where a stream is looked for that it does not have, or not any more: a name is mistyped, or another topic meant.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::cli::output;
use crate::readback::Kind;

/// The most streams that are named.
const NAMED_MAX: usize = 10;
/// After this time without a record of the stream, while others come, it is said.
const SAID_AFTER: Duration = Duration::from_secs(20);

/// What has come instead of fragments of a stream.
pub(super) struct Instead {
    streams: BTreeSet<String>,
    has_more: bool,
    kind: Option<&'static str>,
    /// When the stream's last record came.
    own: Instant,
    has_own: bool,
    said: bool,
}

impl Default for Instead {
    fn default() -> Self {
        let streams = BTreeSet::new();
        Self { streams, has_more: false, kind: None, own: Instant::now(), has_own: false, said: false }
    }
}

impl Instead {
    /// Notes a record of another stream.
    pub(super) fn note_stream(&mut self, name: &str) {
        if self.streams.len() < NAMED_MAX {
            self.streams.insert(output::plain(name, 64));
        } else {
            self.has_more |= !self.streams.contains(name);
        }
    }

    /// Notes a record of the stream that is no fragment.
    pub(super) fn note_kind(&mut self, kind: &Kind) {
        self.kind = match kind {
            Kind::Frame => Some("frames"),
            Kind::Notification => Some("notifications"),
            Kind::Fragment(_) => None,
        };
    }

    /// Notes a fragment of the stream.
    pub(super) fn note_own(&mut self) {
        (self.own, self.has_own, self.said) = (Instant::now(), true, false);
    }

    /// Says, once, that nothing of the stream comes while other records do.
    pub(super) fn say_if_due(&mut self, stream: &str) {
        if self.said || self.own.elapsed() < SAID_AFTER {
            return;
        }
        self.said = true;
        let text = self.text();
        if !text.is_empty() {
            let (stream, seconds) = (output::plain(stream, 256), SAID_AFTER.as_secs());
            output::say(format_args!("kvs-connect: no fragment of stream {stream} for {seconds} s{text}; waiting"));
        }
    }

    /// Returns what there is instead, to be put behind a sentence; nothing if the stream was there.
    pub(super) fn text(&self) -> String {
        if self.has_own {
            return String::new();
        }
        if let Some(kind) = self.kind {
            return format!("; the topic has its {kind}, and the fragments are in another one (--topic)");
        }
        let names: Vec<&str> = self.streams.iter().map(String::as_str).collect();
        let more = if self.has_more { " and more" } else { "" };
        match names.as_slice() {
            [] => String::new(),
            names => format!("; the topic has {}{more}", names.join(", ")),
        }
    }
}

#[cfg(test)]
#[path = "instead_tests.rs"]
mod tests;
