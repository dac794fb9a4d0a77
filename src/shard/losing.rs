//! What an owner does after losing its shard, or when it cannot acquire it: finds the cause, and tells whom it
//! concerns.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::context::OwnerContext;
use super::recover::RecoverError;
use super::refused_topics::RefusedTopics;
use super::sources::Sources;
use super::transaction::{Failed, RefusedRecord};
use crate::model::{Committed, LogErrorKind, OffsetReader, OutputId, ShardId, ShardLog};
use crate::telemetry;

/// How long a transaction has only one stream's records after an unnamed refusal; refused streams fail meanwhile.
const ISOLATED_FOR: Duration = Duration::from_secs(600);

/// What an owner has learned from losing its shard.
#[derive(Debug, Default)]
pub(super) struct Losing {
    /// When a transaction with several streams was refused without naming a record.
    refused_unnamed: Option<Instant>,
    /// The partitions of the records in the transaction that was not completed, and in the one before: the coordinator may still be
    /// completing that one when the next is refused.
    partitions: BTreeSet<(Arc<str>, i32)>,
    /// Those of the last transaction that was committed.
    committed: BTreeSet<(Arc<str>, i32)>,
    /// When the first of the failed attempts to acquire the shard began.
    since: Option<Instant>,
}

impl Losing {
    /// Records that the shard has been acquired.
    pub(super) fn acquired(&mut self) {
        self.since = None;
        self.partitions.clear();
        self.committed.clear();
    }

    /// Records that a transaction with these has been committed.
    pub(super) fn committed(&mut self, committed: &[Committed]) {
        self.committed = committed.iter().flat_map(|one| &one.partitions).cloned().collect();
    }

    /// Returns whether a transaction may have only one stream's records, so that a refusal shows whose record it is.
    pub(super) fn isolates_streams(&self) -> bool {
        self.refused_unnamed.is_some_and(|when| when.elapsed() < ISOLATED_FOR)
    }

    /// Records that the shard could not be acquired, by an attempt that began at `began`. If that lasts, its streams
    /// report it, with the cause.
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
                "{error}; if this continues, look for a broker or a partition that is offline, and for a hanging transaction \
                 (kafka-transactions.sh find-hanging)"
            )
        } else {
            // The coordinator cannot write its marker there, and hands the id to nobody before it has.
            format!("its last transaction cannot be completed before this is fixed: {}", offline.join("; "))
        };
        let reason = format!("shard {shard} cannot be acquired, for {} s now: {cause}", waited.as_secs());
        // Only used to order the reports about the shard.
        let end = context.log.with_reader(|reader| reader.bounds(shard));
        tracing::error!(
            shard = shard.0,
            offsets_topic = context.log.offsets_topic(),
            reason,
            "the shard's streams make no progress"
        );
        sources.blocked(reason, end.map_or(0, |bounds| bounds.end));
    }

    /// Logs why the shard was lost, and gives up whatever caused it.
    ///
    /// | refusal | caused by | consequence |
    /// |---|---|---|
    /// | names a record that may be dropped | its topic | the topic's records are dropped for a while |
    /// | names a record that is too large | its stream | the stream fails |
    /// | names a record whose time is refused | its stream | the stream writes ingest time for a while |
    /// | names a record whose topic accepts none | its topic | all streams that write there fail |
    /// | names none, and some records may be dropped | maybe those | they are dropped for a while; the next refusal shows |
    /// | names none, and there is one stream or one topic | that one | all streams that write to the same topics fail |
    /// | names none, and there are several streams | unknown | a transaction has one stream's records for a while; the next refusal shows |
    pub(super) fn lose(
        &mut self,
        (shard, offsets_topic): (ShardId, &str),
        failed: Failed,
        sources: &mut impl Sources,
        refused_topics: &mut RefusedTopics,
    ) {
        let Failed { error, refused, needed_topics, droppable_topics, streams, lost, partitions, .. } = failed;
        self.partitions = partitions;
        self.partitions.append(&mut self.committed);
        telemetry::shard_lost(error.kind.reason());
        let is_unnamed = refused.is_none() && error.kind == LogErrorKind::NotAuthorized;
        match (&error.kind, refused) {
            (_, Some(RefusedRecord { topic, droppable_output: Some(output), .. })) => {
                refused_topics.refused(&BTreeSet::from([(output, topic)]), &error.to_string(), &lost);
            }
            (
                LogErrorKind::RecordTooLarge { size_bytes, limit_bytes, .. },
                Some(RefusedRecord { stream, topic, output, .. }),
            ) => {
                let limit =
                    limit_bytes.map_or("the topic's max.message.bytes".to_owned(), |limit| format!("{limit} bytes"));
                let or_lower = output.and_then(OutputId::size_setting).map(|setting| format!(", or lower {setting}"));
                let reason = format!(
                    "a record of {size_bytes} bytes is larger than topic {topic} accepts ({limit}); raise max.message.bytes of \
                     the topic{}",
                    or_lower.unwrap_or_default()
                );
                sources.record_too_large(&stream, &topic, *size_bytes, reason);
            }
            (LogErrorKind::TimestampRefused { .. }, Some(RefusedRecord { stream, .. })) => {
                tracing::warn!(shard = shard.0, offsets_topic, connector = %stream.connector, stream = %stream.stream, %error,
                    "the broker refuses the timestamp that record.timestamp selects: the stream's records get their ingest \
                     time for an hour; see message.timestamp.before.max.ms and message.timestamp.after.max.ms of the topic, \
                     and the clocks");
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
                    "lost the shard; to find whose record is refused, each transaction has one stream's records for a while");
            }
            (LogErrorKind::Fenced, _) => {
                // A takeover, or the broker's transaction timeout: they look alike (rules 5 and 7).
                tracing::warn!(shard = shard.0, offsets_topic, %error,
                "fenced; the shard is acquired again if it is still assigned");
            }
            _ => {
                tracing::warn!(shard = shard.0, offsets_topic, %error,
                "lost the shard; it is acquired again if it is still assigned");
            }
        }
    }
}

#[cfg(test)]
#[path = "losing_tests.rs"]
mod tests;
