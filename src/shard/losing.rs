//! What an owner does when it has lost its shard, or cannot acquire it: whose fault it is, and who is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::OwnerContext;
use super::recover::RecoverError;
use super::refused_topics::RefusedTopics;
use super::sources::Sources;
use super::transaction::{Failed, RefusedRecord};
use crate::model::{LogErrorKind, OffsetReader, ShardId, ShardLog};
use crate::telemetry;

/// How long a transaction has one stream's records, after a refusal that named none: those that are refused fail meanwhile.
const ISOLATED_FOR: Duration = Duration::from_secs(600);

/// What an owner has learned from losing its shard.
#[derive(Debug, Default)]
pub(super) struct Losing {
    /// When a transaction with several streams was refused without a word of whose record it was.
    refused_unnamed: Option<Instant>,
    /// Where the records of the transaction that was not completed went.
    partitions: BTreeSet<(Arc<str>, i32)>,
    /// When the first attempt to acquire it began that has failed.
    since: Option<Instant>,
}

impl Losing {
    /// Notes that the shard is acquired.
    pub(super) fn acquired(&mut self) {
        self.since = None;
        self.partitions.clear();
    }

    /// Returns whether a transaction is to have the records of one stream only, so that a refusal shows whose it is.
    pub(super) fn isolates_streams(&self) -> bool {
        self.refused_unnamed.is_some_and(|when| when.elapsed() < ISOLATED_FOR)
    }

    /// Notes that the shard could not be acquired, by an attempt that began at `began`. When that goes on, its streams say
    /// so, with the cause.
    pub(super) fn not_acquired(
        &mut self,
        shard: ShardId,
        context: &OwnerContext<impl ShardLog>,
        sources: &mut impl Sources,
        began: Instant,
        error: &RecoverError,
    ) {
        let waited = self.since.get_or_insert(began).elapsed();
        if waited < context.settings.blocked_after {
            return;
        }
        let offline: Vec<String> = self
            .partitions
            .iter()
            .filter_map(|(topic, partition)| context.log.unavailable(topic, *partition))
            .collect();
        let cause = if offline.is_empty() {
            format!(
                "{error}; if this goes on, look for a broker or a partition that is offline, and for a hanging transaction \
                 (kafka-transactions.sh find-hanging)"
            )
        } else {
            // The coordinator cannot write its marker there, and gives the id to nobody before.
            format!("its last transaction cannot be completed before this is mended: {}", offline.join("; "))
        };
        let reason = format!("shard {shard} cannot be taken, for {} s now: {cause}", waited.as_secs());
        // Of no use but to order what is said of the shard.
        let end = context.log.with_reader(|reader| reader.bounds(shard));
        tracing::error!(
            shard = shard.0,
            offsets_topic = context.log.offsets_topic(),
            reason,
            "the shard's streams stand still"
        );
        sources.blocked(reason, end.map_or(0, |bounds| bounds.end));
    }

    /// Says why the shard was lost, and gives up whose fault it is.
    ///
    /// | refusal | whose it is | what follows |
    /// |---|---|---|
    /// | names a record that may be dropped | its topic's | the topic's records are dropped for a while |
    /// | names a record that is too large | its stream's | the stream fails |
    /// | names a record whose time is not taken | its stream's | the stream writes ingest time for a while |
    /// | names a record whose topic takes none | its topic's | all streams that write there fail |
    /// | names none, and some records may be dropped | maybe theirs | these are dropped for a while; it shows by the next |
    /// | names none, of one stream or one topic | theirs | all streams that write to the same topics fail |
    /// | names none, of several streams | not known | a transaction has one stream's records for a while; it shows by the next |
    pub(super) fn lose(
        &mut self,
        (shard, offsets_topic): (ShardId, &str),
        failed: Failed,
        sources: &mut impl Sources,
        refused_topics: &mut RefusedTopics,
    ) {
        let Failed { error, refused, needed_topics, droppable_topics, streams, lost, partitions, .. } = failed;
        self.partitions = partitions;
        telemetry::shard_lost(error.kind.reason());
        let is_unnamed = refused.is_none() && error.kind == LogErrorKind::NotAuthorized;
        match (&error.kind, refused) {
            (_, Some(RefusedRecord { topic, droppable_output: Some(output), .. })) => {
                refused_topics.refused(&BTreeSet::from([(output, topic)]), &error.to_string(), &lost);
            }
            (LogErrorKind::RecordTooLarge { size_bytes, limit_bytes, .. }, Some(RefusedRecord { stream, .. })) => {
                let limit =
                    limit_bytes.map_or("the topic's max.message.bytes".to_owned(), |limit| format!("{limit} bytes"));
                let reason = format!(
                    "a record of {size_bytes} bytes is larger than its topic takes ({limit}); raise max.message.bytes of \
                     the topic, or lower kvs.fragment.max.size.bytes"
                );
                sources.fail(&stream, reason);
            }
            (LogErrorKind::TimestampRefused { .. }, Some(RefusedRecord { stream, .. })) => {
                tracing::warn!(shard = shard.0, offsets_topic, connector = %stream.connector, stream = %stream.stream, %error,
                    "the broker takes no record with the time that record.timestamp asks for: the stream's records get their \
                     ingest time for an hour; see message.timestamp.before.max.ms and message.timestamp.after.max.ms of the \
                     topic, and the clocks");
                sources.timestamp_refused(&stream);
            }
            (LogErrorKind::TopicRefused { .. }, Some(RefusedRecord { topic, .. })) => {
                sources.fail_topics(&BTreeSet::from([topic]), error.to_string());
            }
            _ if is_unnamed && !droppable_topics.is_empty() => {
                refused_topics.refused(&droppable_topics, &error.to_string(), &lost);
            }
            _ if is_unnamed && !needed_topics.is_empty() && (needed_topics.len() == 1 || streams.len() == 1) => {
                sources.fail_topics(&needed_topics, error.to_string());
            }
            _ if is_unnamed && !needed_topics.is_empty() => {
                self.refused_unnamed = Some(Instant::now());
                tracing::warn!(shard = shard.0, offsets_topic, %error,
                    "lost the shard; to find whose record is refused, a transaction has one stream's records for a while");
            }
            (LogErrorKind::Fenced, _) => {
                // A take-over, or the broker's transaction timeout: they look alike (rules 5 and 7).
                tracing::warn!(shard = shard.0, offsets_topic, %error, "fenced; the shard is acquired again if it is still ours");
            }
            _ => {
                tracing::warn!(shard = shard.0, offsets_topic, %error, "lost the shard; it is acquired again if it is still ours")
            }
        }
    }
}
