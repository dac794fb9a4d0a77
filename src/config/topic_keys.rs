//! The configuration of a topic, by the names that Apache Kafka has for it.
//!
//! Other brokers have more, and later ones will have: a name that is not here and near none that is, is the cluster's to
//! judge when it creates the topic.

use super::table::{self, connector::records};
use crate::nearest::nearest;

/// What the settings that configure the data topic begin with.
const PREFIX: &str = table::TOPIC_CONFIG.name;

/// The configuration of a topic in Kafka 4.1, and in the versions since 2.5 that had more.
pub const TOPIC_KEYS: &[&str] = &[
    "cleanup.policy",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.difference.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "remote.log.copy.disable",
    "remote.log.delete.on.disable",
    "remote.storage.enable",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];

/// What is known of a setting that configures the data topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TopicKey {
    /// A setting of ours, or of Kafka's.
    Known,
    /// None of them, but so near to this one that it was probably meant. Without the prefix.
    Near(&'static str),
    /// None of them.
    Unknown,
}

/// Returns what is known of a setting; `None` if it does not configure the data topic.
pub(super) fn look_up(setting: &str) -> Option<TopicKey> {
    let name = setting.strip_prefix(PREFIX).filter(|name| !name.is_empty())?;
    let own = [records::PARTITIONS.name(), records::REPLICATION.name()];
    let own = own.into_iter().filter_map(|key| key.strip_prefix(PREFIX));
    let known = || TOPIC_KEYS.iter().copied().chain(own.clone());
    if known().any(|known| known == name) {
        return Some(TopicKey::Known);
    }
    Some(nearest(name, known()).map_or(TopicKey::Unknown, TopicKey::Near))
}

/// Returns what people are told of configurations that Apache Kafka does not have.
pub(super) fn notes<'a>(settings: impl Iterator<Item = &'a String>) -> Vec<String> {
    let unknown = settings.filter(|setting| look_up(setting) == Some(TopicKey::Unknown));
    let note = |setting: &String| {
        format!(
            "{setting}: topics of Apache Kafka have no such configuration; whether those of this cluster do is known when \
             the topic is created"
        )
    };
    unknown.map(note).collect()
}

#[cfg(test)]
#[path = "topic_keys_tests.rs"]
mod tests;
