//! Shards, and the mapping from keys to shards.

use std::fmt;
use std::sync::Arc;

/// A shard of one offsets topic, named by the number of its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub i32);

impl fmt::Display for ShardId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

/// A shard of any offsets topic of a group: the worker's, or a connector's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicShard {
    /// The offsets topic.
    pub topic: Arc<str>,
    /// The shard within the topic.
    pub shard: ShardId,
}

impl fmt::Display for TopicShard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of topic {}", self.shard, self.topic)
    }
}

/// The number of partitions of an offsets topic; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardCount(i32);

impl ShardCount {
    /// Returns a count, or `None` when it is below one.
    pub fn new(count: i32) -> Option<Self> {
        (count >= 1).then_some(Self(count))
    }

    /// Returns the number.
    pub fn get(self) -> i32 {
        self.0
    }

    /// Returns the shard that a key belongs to.
    pub fn shard_of(self, key: &[u8]) -> ShardId {
        ShardId(partition_for(key, self.0))
    }
}

/// Returns the partition of a key among `count`, like the Java client's default partitioner.
pub fn partition_for(key: &[u8], count: i32) -> i32 {
    (murmur2(key) & 0x7FFF_FFFF) as i32 % count.max(1)
}

/// Returns the key's MurmurHash2 with the seed of Kafka's Java client.
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5BD1_E995;
    // A key is far smaller than 4 GiB.
    let mut hash = 0x9747_B28C_u32 ^ key.len() as u32;
    let mut chunks = key.chunks_exact(4);
    for chunk in &mut chunks {
        let mut word = u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (index, &byte) in rest.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 15
}

#[cfg(test)]
#[path = "id_tests.rs"]
mod tests;
