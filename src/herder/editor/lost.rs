//! What a connector has lost of its offsets, and the streams whose offsets have to be set or reset for it to go on.

use std::collections::{BTreeMap, BTreeSet};

use kvs_client::StreamRef;

use crate::cluster::{ConnectorEntry, Refusal};
use crate::config::connector::{StreamsConfig, streams_of};
use crate::herder::error::OperationError;
use crate::model::ShardId;

/// What the shards of a topic have lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::herder) enum Lost {
    /// All offsets: the topic was deleted and recreated, and has not been begun since.
    Topic,
    /// All offsets of the connector: the topic has been begun again since, for other connectors.
    Connector,
    /// Maybe some offsets in these shards: records were deleted from them.
    Cut(BTreeSet<ShardId>),
}

impl Lost {
    /// Returns whether all offsets of the connector were lost.
    pub(in crate::herder) fn is_all(&self) -> bool {
        matches!(self, Self::Topic | Self::Connector)
    }

    /// Returns whether offsets in a shard may have been lost.
    pub(super) fn has_lost(&self, shard: ShardId) -> bool {
        match self {
            Self::Topic | Self::Connector => true,
            Self::Cut(shards) => shards.contains(&shard),
        }
    }
}

/// Refuses to set the offsets of only some of the streams that may have lost them (`streams`): the others would begin where
/// new streams do, although they have published.
///
/// # Errors
/// When offsets of streams are missing.
pub(in crate::herder) fn expect_all<T>(
    name: &str,
    topic: &str,
    lost: &Lost,
    streams: impl Iterator<Item = String>,
    offsets: &BTreeMap<String, T>,
) -> Result<(), OperationError> {
    let missing: Vec<String> = streams.filter(|stream| !offsets.contains_key(stream)).collect();
    let Some(example) = missing.first() else { return Ok(()) };
    let what = match lost {
        Lost::Topic | Lost::Connector => format!("topic {topic} (offsets.storage.topic) was deleted and recreated"),
        Lost::Cut(_) => format!("records of topic {topic} were deleted"),
    };
    Err(Refusal::Invalid(format!(
        "offsets: {what}, and positions of streams of connector {name:?} are lost: set or reset them in one request; {} are \
         missing, stream {example:?} for example. Or reset all of them first (DELETE /connectors/{name}/offsets), and then \
         set some",
        missing.len()
    ))
    .into())
}

/// Returns the names of the streams that a connector has: those that are listed, or were discovered.
pub(in crate::herder) fn current_streams(entry: &ConnectorEntry) -> BTreeSet<String> {
    match entry.settings.as_ref().ok().and_then(streams_of) {
        Some(StreamsConfig::Listed(listed)) => listed.iter().map(|stream| stream.name().to_owned()).collect(),
        _ => {
            let names = entry.tasks.values();
            names
                .map(|stream| stream.parse::<StreamRef>().map_or_else(|_| stream.clone(), |it| it.name().to_owned()))
                .collect()
        }
    }
}

#[cfg(test)]
#[path = "lost_tests.rs"]
mod tests;
