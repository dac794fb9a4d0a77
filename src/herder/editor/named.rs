//! Checks whether streams whose offsets are altered belong to the connector.
//!
//! An offset stored under a mistyped name would belong to nothing, and the intended stream would continue at its old
//! position.

use std::collections::BTreeSet;

use crate::config::connector::StreamsConfig;
use crate::nearest::nearest;

/// Returns whether a connector with these settings may have a stream of this name.
pub(super) fn may_have(streams: &StreamsConfig, name: &str) -> bool {
    match streams {
        StreamsConfig::Listed(listed) => listed.iter().any(|stream| stream.name() == name),
        StreamsConfig::Discovered(discovery) => discovery.names(name),
    }
}

/// Returns why a stream's offset cannot be altered: the stream does not belong to the connector, and has no offset.
/// `known`: streams that belong to the connector, or have an offset.
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
    format!("offsets: stream {name:?}: connector {connector:?} {why}, and no offset is stored for it{meant}")
}

#[cfg(test)]
#[path = "named_tests.rs"]
mod tests;
