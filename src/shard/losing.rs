//! What an owner does when it has lost its shard, or cannot take it: whose fault it is, who is told, how long it waits.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_retry2::strategy::{ExponentialBackoff, jitter_with_bounds};

use super::log::{LogErrorKind, OffsetReader, ShardLog};
use super::owner::{Owner, Sources};
use super::recover::RecoverError;
use super::transaction::Failed;
use crate::telemetry;

/// A shard that could not be taken for so long is spoken of in its streams' states.
pub(super) const BLOCKED_AFTER: Duration = Duration::from_secs(20);

/// What an owner has learned from losing its shard.
#[derive(Debug, Default)]
pub struct Losing {
    /// Since a transaction for several topics was refused.
    pub(super) one_topic_at_a_time: bool,
    /// Where the records of the transaction that was not completed went.
    pub(super) partitions: BTreeSet<(Arc<str>, i32)>,
    /// When the first try to take it began that has failed.
    since: Option<Instant>,
}

impl Losing {
    /// The shard is taken.
    pub(super) fn taken(&mut self) {
        self.since = None;
        self.partitions.clear();
    }
}

impl<L: ShardLog, S: Sources> Owner<L, S> {
    /// The shard could not be taken, by a try that began then. When that goes on, its streams say so, with the cause.
    pub(super) fn not_taken(&mut self, began: Instant, error: &RecoverError) {
        let waited = self.losing.since.get_or_insert(began).elapsed();
        if waited < self.settings.blocked_after {
            return;
        }
        let offline: Vec<String> = self
            .losing
            .partitions
            .iter()
            .filter_map(|(topic, partition)| self.log.unavailable(topic, *partition))
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
        let reason = format!("shard {} cannot be taken, for {} s now: {cause}", self.shard, waited.as_secs());
        // Of no use but to order what is said of the shard.
        let end = self.log.open_reader().and_then(|mut reader| {
            let bounds = reader.bounds(self.shard);
            self.log.give_back(bounds.is_ok().then_some(reader));
            bounds
        });
        tracing::error!(shard = self.shard.0, reason, "the shard's streams stand still");
        self.sources.blocked(reason, end.map_or(0, |bounds| bounds.end));
    }

    /// Says why the shard was lost, and gives up whose fault it is.
    pub(super) fn lose(&mut self, failed: Failed) {
        let topics = failed.topics().into_iter().cloned().collect::<BTreeSet<_>>();
        let Failed { error, stream, is_notification, has_notifications, last_words, partitions, .. } = failed;
        self.losing.partitions = partitions;
        telemetry::shard_lost(error.kind.reason());
        if is_notification {
            return self.notifications.refused(&error.to_string(), &last_words);
        }
        match (&error.kind, stream) {
            (LogErrorKind::NotAuthorized, _) if has_notifications => {
                // Kafka does not say for which topic. Without them it shows whether it was for theirs.
                self.notifications.refused(&error.to_string(), &last_words);
            }
            (LogErrorKind::RecordTooLarge { size_bytes, limit_bytes, .. }, Some(stream)) => {
                let limit =
                    limit_bytes.map_or("the topic's max.message.bytes".to_owned(), |limit| format!("{limit} bytes"));
                let reason = format!(
                    "a record of {size_bytes} bytes is larger than its topic takes ({limit}); raise max.message.bytes of \
                     the topic, or lower kvs.fragment.max.size.bytes"
                );
                self.sources.fail(&stream, reason);
            }
            (LogErrorKind::TimestampRefused { .. }, Some(stream)) => {
                tracing::warn!(shard = self.shard.0, connector = %stream.connector, stream = %stream.stream, %error,
                    "the broker takes no record with the time that record.timestamp asks for: the stream's records get their \
                     ingest time for an hour; see message.timestamp.before.max.ms and message.timestamp.after.max.ms of the \
                     topic, and the clocks");
                self.sources.timestamp_refused(&stream);
            }
            (LogErrorKind::TopicRefused { topic, .. }, Some(_)) => {
                self.sources.fail_topic(topic, error.to_string());
            }
            (LogErrorKind::NotAuthorized, _) if topics.len() == 1 => {
                for topic in &topics {
                    self.sources.fail_topic(topic, error.to_string());
                }
            }
            (LogErrorKind::NotAuthorized, _) if !topics.is_empty() => {
                // Kafka does not say which. One at a time it shows, and nobody fails for another's topic.
                self.losing.one_topic_at_a_time = true;
                tracing::warn!(shard = self.shard.0, %error, "lost the shard; from now on a transaction has one topic's fragments");
            }
            (LogErrorKind::Fenced, _) => {
                // A take-over, or the broker's transaction timeout: they look alike (rules 5 and 7).
                tracing::warn!(shard = self.shard.0, %error, "fenced; the shard is taken again if it is still ours");
            }
            _ => tracing::warn!(shard = self.shard.0, %error, "lost the shard; it is taken again if it is still ours"),
        }
    }

    /// Waits with full jitter, unless the shard is released meanwhile.
    pub(super) fn wait_before_retaking(&self, delays: &mut Option<ExponentialBackoff>, reason: &'static str) {
        let delays = delays.get_or_insert_with(|| {
            let base_ms = u64::try_from(self.settings.retake_base.as_millis()).unwrap_or(u64::MAX);
            ExponentialBackoff::from_millis(2).factor(base_ms.div_ceil(2)).max_delay(self.settings.retake_cap)
        });
        let longest = delays.next().unwrap_or(self.settings.retake_cap);
        let delay = jitter_with_bounds(0.25, 1.0)(longest);
        self.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = self.grip.released.cancelled() => {}
            }
        });
        if self.grip.held() {
            telemetry::shard_retaken(reason);
        }
    }
}
