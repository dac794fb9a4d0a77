//! Whether the streams whose offsets are altered are the connector's.
//!
//! An offset that is kept under a mistyped name would be nobody's, and the stream that was meant would go on where it was.

use std::collections::BTreeSet;

use crate::config::connector::StreamsConfig;
use crate::nearest::nearest;

/// Returns whether a stream may be the connector's by its settings.
pub(super) fn may_have(streams: &StreamsConfig, name: &str) -> bool {
    match streams {
        StreamsConfig::Listed(listed) => listed.iter().any(|stream| stream.name() == name),
        StreamsConfig::Discovered(discovery) => discovery.names(name),
    }
}

/// Returns why a stream's offset cannot be altered: the stream is not the connector's, and no offset is kept for it. `known`:
/// streams that are the connector's, or have an offset.
pub(super) fn refusal(connector: &str, streams: &StreamsConfig, name: &str, known: &BTreeSet<String>) -> String {
    let why = match streams {
        StreamsConfig::Listed(_) => "has no such stream (kvs.streams)",
        StreamsConfig::Discovered(discovery) if discovery.regex.is_none() => {
            "never has a stream of this name (kvs.streams.prefix)"
        }
        StreamsConfig::Discovered(discovery) if discovery.prefix.is_none() => {
            "never has a stream of this name (kvs.streams.regex)"
        }
        StreamsConfig::Discovered(_) => "never has a stream of this name (kvs.streams.prefix, kvs.streams.regex)",
    };
    let meant = nearest(name, known.iter().map(String::as_str));
    let meant = meant.map_or_else(String::new, |meant| format!("; the nearest one is {meant:?}"));
    format!("offsets: stream {name:?}: connector {connector:?} {why}, and no offset is kept for one{meant}")
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
