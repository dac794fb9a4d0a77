//! Membership in the consumer group on the offsets topic: who owns which shard.
//!
//! The group is the cluster manager; nothing is read through it. A partition that is revoked is acknowledged only
//! after its shard has been let go (rule 10): the listener blocks as long as that takes, within its bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, TopicPartitionList};

use super::claim::Claim;
use super::context;
use super::error::{needing, to_log_error};
use super::settings::KafkaSettings;
use crate::shard::{LogError, ShardId};

/// Hears of shards that come and go. Called on the membership's own thread, where blocking is allowed.
pub trait GroupListener: Send + Sync + 'static {
    /// These shards are this worker's from now on.
    fn assigned(&self, shards: &[ShardId]);

    /// These shards are to be let go. The group goes on when this returns. `lost`: they may be another's already.
    fn revoked(&self, shards: &[ShardId], lost: bool);

    /// Joining or staying in the group fails; it is tried again.
    fn trouble(&self, error: &LogError);
}

struct GroupContext<L> {
    listener: Arc<L>,
    grant: String,
    /// The group's claim, and the topic it is on, where it has none yet.
    claim: Option<(Claim, String)>,
}

/// What a member needs.
fn grant(settings: &KafkaSettings) -> String {
    format!("Read on group {}, and Describe on topic {}", settings.group_id, settings.offsets_topic)
}

fn shards(partitions: &TopicPartitionList) -> Vec<ShardId> {
    partitions.elements().iter().map(|element| ShardId(element.partition())).collect()
}

impl<L: GroupListener> ClientContext for GroupContext<L> {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        context::log_error(&error, reason);
    }
}

impl<L: GroupListener> ConsumerContext for GroupContext<L> {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            self.listener.revoked(&shards(partitions), consumer.assignment_lost());
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                if let Err(error) = consumer.pause(partitions) {
                    tracing::debug!(%error, "cannot pause a partition; what is fetched of it is passed over");
                }
                self.listener.assigned(&shards(partitions));
                if let Some((claim, topic)) = &self.claim
                    && let Err(error) =
                        claim.to_commit(topic).and_then(|list| consumer.commit(&list, CommitMode::Async))
                {
                    tracing::debug!(%error, "the group's claim is committed again with the next assignment");
                }
            }
            Rebalance::Error(error) => {
                self.listener.trouble(&needing(to_log_error("rebalancing the group", error), &self.grant));
            }
            Rebalance::Revoke(_) => {}
        }
    }
}

/// A member of the group, with its thread.
pub struct Membership {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Membership {
    /// Joins the group.
    ///
    /// # Errors
    /// When librdkafka does not take the settings, or no thread can be started.
    pub fn join<L: GroupListener>(settings: &KafkaSettings, listener: Arc<L>) -> Result<Self, LogError> {
        const DOING: &str = "joining the group";
        let claim = settings.claim.clone().map(|claim| (claim, settings.offsets_topic.clone()));
        let consumer: BaseConsumer<GroupContext<L>> = settings
            .membership_config()
            .create_with_context(GroupContext { listener: Arc::clone(&listener), grant: grant(settings), claim })
            .map_err(|error| to_log_error(DOING, &error))?;
        consumer.subscribe(&[&settings.offsets_topic]).map_err(|error| to_log_error(DOING, &error))?;
        let grant = grant(settings);
        let is_static = settings.group_instance_id.is_some();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("membership".to_owned())
            .spawn(move || poll(&consumer, &stopped, &*listener, is_static, &grant))
            .map_err(|error| LogError {
                kind: crate::shard::LogErrorKind::Other,
                doing: DOING,
                text: error.to_string(),
            })?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Leaves the group, after all shards have been revoked through the listener. Blocks.
    pub fn leave(mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the membership's thread panicked");
        }
    }
}

fn poll<L: GroupListener>(
    consumer: &BaseConsumer<GroupContext<L>>,
    stop: &AtomicBool,
    listener: &L,
    is_static: bool,
    grant: &str,
) {
    let mut leaving = false;
    loop {
        // A static member closes without leaving: its shards wait for it until its session is over. They are let go
        // through the context while the consumer is dropped.
        if is_static && stop.load(Ordering::Acquire) {
            return;
        }
        if stop.load(Ordering::Acquire) && !leaving {
            leaving = true;
            // Revokes through the context, on this thread, in the polls that follow.
            consumer.unsubscribe();
        }
        match consumer.poll(Duration::from_millis(50)) {
            Some(Ok(_)) | None => {}
            Some(Err(error)) => listener.trouble(&needing(to_log_error("staying in the group", &error), grant)),
        }
        let empty = || consumer.assignment().is_ok_and(|assignment| assignment.count() == 0);
        if leaving && empty() {
            // Dropping the consumer closes it, which tells the group.
            return;
        }
    }
}
