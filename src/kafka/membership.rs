//! Membership in the consumer group on the offsets topics: who owns which shard.
//!
//! **Contract.** The group is the cluster manager; nothing is read through it. The revocation of a partition is
//! acknowledged only after its shard has been released (rule 10): the listener blocks while that takes, within its
//! bound. Ownership ends with membership (rule 16): when the consumer has a fatal error, from which Kafka's client
//! never recovers, or the group's coordinator has been silent for a session, every shard is revoked at once, and a new
//! consumer joins; unless another worker uses this one's `group.instance.id`, which ends this worker
//! ([`GroupListener::ended`]).

mod acceptance;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::{ClientContext, TopicPartitionList};

use acceptance::{Acceptance, COORDINATOR};

use super::claim::Claim;
use super::context;
use super::error::{needing, to_log_error};
use super::settings::{GroupProtocol, KafkaSettings};
use super::subscription::Subscription;
use crate::model::{LogError, LogErrorKind, ShardId, TopicShard};
use crate::supervision::{Panicked, Part, catch, fault_point};

/// The default session timeout of a group with `group.protocol=consumer`, which the broker or the group may override.
const BROKERS_SESSION: Duration = Duration::from_secs(45);
/// The longest pause before a new consumer joins.
const REJOIN_CAP: Duration = Duration::from_secs(5);
/// How long to wait for an earlier run of a static member: several sessions with the broker's default.
const UNRELEASED_MAX: Duration = Duration::from_secs(180);
/// How long a consumer without shards may hear nothing from the coordinator before another one joins in its place. Joining waits for
/// other members, for a session at most. A consumer has been seen that never joined again after its broker had been
/// suspended and killed, while other clients of its process went on.
const UNJOINED_MAX: Duration = Duration::from_secs(60);
/// The maximum number of consumers being closed at once; more wait.
const CLOSING_MAX: usize = 4;

/// Reasons why a member does not join again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipEnd {
    /// Another worker has the same `group.instance.id`.
    #[error(
        "another worker has this worker's group.instance.id {instance_id:?} ({reason}), and each would fence the other out \
         of the group: give every worker its own id, or stop the other one"
    )]
    Namesake {
        /// The `group.instance.id`.
        instance_id: String,
        /// Kafka's message.
        reason: String,
    },
    /// The membership's thread has panicked.
    #[error(transparent)]
    Panicked(#[from] Panicked),
    /// No consumer can be created any more.
    #[error(transparent)]
    Refused(LogError),
}

/// Listens for assigned and revoked shards. Called on the membership's own thread, where blocking is allowed.
pub trait GroupListener: Send + Sync + 'static {
    /// Called when shards have been assigned to this worker.
    fn assigned(&self, shards: &[TopicShard]);

    /// Called to release shards. The rebalance continues when this returns. `lost`: they may already be another
    /// worker's.
    fn revoked(&self, shards: &[TopicShard], lost: bool);

    /// Called when joining or staying in the group fails, before the next attempt. `None`: the group responds again.
    fn trouble(&self, error: Option<&LogError>);

    /// Called when the worker is no longer a member and does not join again. All shards have been revoked.
    fn ended(&self, end: MembershipEnd);
}

/// What has become of the shards (maybe none) that the group assigned last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assignment {
    /// The group has assigned none yet.
    None,
    /// The assignment is in force.
    InForce,
    /// The assignment was lost: its shards may be another member's.
    Lost,
}

/// The state of the membership, shared by its thread and the client's callbacks.
struct Member {
    /// Shards that have been assigned and not revoked.
    held: BTreeSet<TopicShard>,
    assignment: Assignment,
    /// The number of responses from the coordinator; `heard` is the time of the last one.
    responses: u64,
    heard: Instant,
    /// Whether the group has accepted the member, as far as heartbeats show.
    acceptance: Acceptance,
}

struct GroupContext<L> {
    listener: Arc<L>,
    grant: String,
    member: Mutex<Member>,
    /// Whether the consumer has been given up, so that its last callbacks no longer count.
    retired: AtomicBool,
    /// The claim to commit for the group, and the topic to commit it on, if the group has none yet.
    claim: Option<(Claim, String)>,
}

impl<L> GroupContext<L> {
    fn new(settings: &KafkaSettings, listener: Arc<L>) -> Self {
        let member = Member {
            held: BTreeSet::new(),
            assignment: Assignment::None,
            responses: 0,
            heard: Instant::now(),
            acceptance: Acceptance::new(settings.group_protocol),
        };
        let claim = settings.claim.clone().map(|claim| (claim, settings.offsets_topic.clone()));
        Self { listener, grant: grant(settings), member: Mutex::new(member), retired: AtomicBool::new(false), claim }
    }

    fn lock(&self) -> MutexGuard<'_, Member> {
        // Nothing panics while the lock is held, and fields are changed one by one.
        self.member.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the group has accepted the member since the last call, and assigned it no shards.
    fn has_joined_without_shards(&self) -> bool {
        let mut member = self.lock();
        let has_joined = member.assignment != Assignment::InForce && member.acceptance.is_certain();
        if has_joined {
            member.assignment = Assignment::InForce;
        }
        has_joined
    }
}

/// Returns the permissions that a member needs.
fn grant(settings: &KafkaSettings) -> String {
    format!("Read on group {}, and Describe on topic {}", settings.group_id, settings.offsets_topic)
}

fn shards(partitions: &TopicPartitionList) -> Vec<TopicShard> {
    let shard = |topic: &str, partition| TopicShard { topic: topic.into(), shard: ShardId(partition) };
    partitions.elements().iter().map(|element| shard(element.topic(), element.partition())).collect()
}

impl<L: GroupListener> ClientContext for GroupContext<L> {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        context::log_error(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        // Any response counts: a coordinator that refuses a heartbeat also reports what happened to the member.
        let responses = statistics.brokers.get(COORDINATOR).map(|coordinator| coordinator.rx);
        let mut member = self.lock();
        if let Some(responses) = responses.filter(|&responses| responses != member.responses) {
            (member.responses, member.heard) = (responses, Instant::now());
        }
        member.acceptance.hear(&statistics);
    }
}

impl<L: GroupListener> ConsumerContext for GroupContext<L> {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if self.retired.load(Ordering::Acquire) {
            return;
        }
        if let Rebalance::Revoke(partitions) = rebalance {
            let revoked = shards(partitions);
            let lost = consumer.assignment_lost();
            self.listener.revoked(&revoked, lost);
            let mut member = self.lock();
            member.held.retain(|shard| !revoked.contains(shard));
            if lost {
                member.assignment = Assignment::Lost;
                member.acceptance.doubt();
            }
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if self.retired.load(Ordering::Acquire) {
            return;
        }
        match rebalance {
            Rebalance::Assign(partitions) => {
                if let Err(error) = consumer.pause(partitions) {
                    tracing::debug!(%error, "cannot pause a partition; records fetched from it are skipped");
                }
                let assigned = shards(partitions);
                {
                    let mut member = self.lock();
                    member.held.extend(assigned.iter().cloned());
                    member.assignment = Assignment::InForce;
                    member.heard = Instant::now();
                }
                self.listener.trouble(None);
                self.listener.assigned(&assigned);
                if let Some((claim, topic)) = &self.claim
                    && let Err(error) =
                        claim.to_commit(topic).and_then(|list| consumer.commit(&list, CommitMode::Async))
                {
                    tracing::debug!(%error, "the group's claim is committed again with the next assignment");
                }
            }
            Rebalance::Error(error) => {
                self.listener.trouble(Some(&needing(to_log_error("rebalancing the group", error), &self.grant)));
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

type Group<L> = BaseConsumer<GroupContext<L>>;

impl Membership {
    /// Joins the group, and joins again whenever a consumer has ended.
    ///
    /// # Errors
    /// When librdkafka rejects the settings, or no thread can be started.
    pub fn join<L: GroupListener>(
        settings: &KafkaSettings,
        subscription: Subscription,
        listener: Arc<L>,
    ) -> Result<Self, LogError> {
        let first = consumer(settings, &subscription, &listener)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, settings) = (Arc::clone(&stop), settings.clone());
        let run = move || {
            let joining = Joining {
                unheard_after: unheard_after(&settings),
                unjoined_after: unheard_after(&settings).max(UNJOINED_MAX),
                settings,
                subscription,
                listener: Arc::clone(&listener),
                stop: stopped,
                closing: Vec::new(),
            };
            if let Err(panicked) = catch(Part::Membership, move || joining.run(first)) {
                listener.ended(panicked.into());
            }
        };
        let thread = std::thread::Builder::new()
            .name("membership".to_owned())
            .spawn(run)
            .map_err(|error| LogError { kind: LogErrorKind::Other, doing: JOINING, text: error.to_string() })?;
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

const JOINING: &str = "joining the group";

/// Creates a consumer that joins the group. Returns it with the version of the topics it has subscribed to.
fn consumer<L: GroupListener>(
    settings: &KafkaSettings,
    subscription: &Subscription,
    listener: &Arc<L>,
) -> Result<(Group<L>, u64), LogError> {
    let consumer: Group<L> = settings
        .membership_config()
        .create_with_context(GroupContext::new(settings, Arc::clone(listener)))
        .map_err(|error| to_log_error(JOINING, &error))?;
    let subscribed = subscribe(&consumer, subscription).map_err(|error| to_log_error(JOINING, &error))?;
    Ok((consumer, subscribed))
}

/// Subscribes to the current topics instead of the previous ones, and returns their version. Shards of topics that stay
/// are kept.
fn subscribe<L: GroupListener>(consumer: &Group<L>, subscription: &Subscription) -> Result<u64, KafkaError> {
    let (version, topics) = subscription.now();
    consumer.subscribe(&topics.iter().map(|topic| &**topic).collect::<Vec<&str>>())?;
    Ok(version)
}

/// Returns how long the coordinator may be silent while shards are held. With the classic protocol Kafka's client gives
/// them up by itself after a session; this is longer, for when it does not.
fn unheard_after(settings: &KafkaSettings) -> Duration {
    match settings.group_protocol {
        GroupProtocol::Classic => Duration::from_millis(settings.session_timeout_ms.saturating_mul(3) / 2),
        GroupProtocol::Consumer => BROKERS_SESSION,
    }
}

/// Reasons why a consumer is given up.
enum ConsumerEnd {
    /// The worker stops.
    Stopped,
    /// The consumer has a fatal error.
    Fatal(RDKafkaErrorCode, String),
    /// The coordinator has been silent for this long.
    Unheard(Duration),
}

/// The life of a member, with one consumer after the other.
struct Joining<L: GroupListener> {
    settings: KafkaSettings,
    subscription: Subscription,
    listener: Arc<L>,
    stop: Arc<AtomicBool>,
    unheard_after: Duration,
    /// The same while no shards are held.
    unjoined_after: Duration,
    closing: Vec<JoinHandle<()>>,
}

impl<L: GroupListener> Joining<L> {
    fn run(mut self, first: (Group<L>, u64)) {
        let mut next = Some(first);
        // Since when no consumer has held anything, and the number of consumers created in that time.
        let (mut futile_since, mut attempts): (Option<Instant>, u32) = (None, 0);
        while !self.stop.load(Ordering::Acquire) {
            let made = next.take().map_or_else(|| consumer(&self.settings, &self.subscription, &self.listener), Ok);
            let (consumer, subscribed) = match made {
                Ok(consumer) => consumer,
                Err(error) => return self.listener.ended(MembershipEnd::Refused(error)),
            };
            let polled = catch(Part::Membership, || self.poll(&consumer, subscribed));
            let end = match polled {
                Ok(ConsumerEnd::Stopped) => return,
                Ok(end) => end,
                Err(panicked) => {
                    self.retire(consumer);
                    return self.listener.ended(panicked.into());
                }
            };
            if !consumer.context().lock().held.is_empty() {
                (futile_since, attempts) = (None, 0);
            }
            self.retire(consumer);
            let (since, now) = (*futile_since.get_or_insert_with(Instant::now), Instant::now());
            if let Some(end) = self.is_over(&end, now.saturating_duration_since(since)) {
                return self.listener.ended(end);
            }
            attempts = attempts.saturating_add(1);
            self.pause(attempts);
        }
    }

    /// Polls until the consumer has ended, or the worker stops and the consumer has left the group.
    fn poll(&self, consumer: &Group<L>, mut subscribed: u64) -> ConsumerEnd {
        let grant = grant(&self.settings);
        let mut leaving = false;
        // When the listener was last told of trouble, until that is over.
        let mut troubled: Option<Instant> = None;
        loop {
            fault_point(Part::Membership);
            let stopping = self.stop.load(Ordering::Acquire);
            // A static member closes without leaving: its shards stay assigned to it until its session is over. They
            // are released through the context while the consumer is dropped.
            if self.settings.group_instance_id.is_some() && stopping {
                return ConsumerEnd::Stopped;
            }
            if stopping && !leaving {
                leaving = true;
                // The shards are revoked through the context, on this thread, during the next polls.
                consumer.unsubscribe();
            }
            // Only as a member: Kafka's client aborts the process when the topics change while it rejoins after its session has
            // ended (librdkafka 2.12, rd_kafka_cgrp_modify_subscription's assertion on the join state).
            let is_lost = consumer.context().lock().assignment == Assignment::Lost;
            if !stopping && !is_lost && subscribed != self.subscription.version() {
                match subscribe(consumer, &self.subscription) {
                    Ok(version) => subscribed = version,
                    Err(error) => {
                        let error = needing(to_log_error("subscribing to the offsets topics", &error), &grant);
                        self.listener.trouble(Some(&error));
                    }
                }
            }
            match consumer.poll(Duration::from_millis(50)) {
                Some(Ok(_)) | None => {}
                Some(Err(error)) => {
                    let error = needing(to_log_error("staying in the group", &error), &grant);
                    consumer.context().lock().acceptance.doubt();
                    self.listener.trouble(Some(&error));
                    troubled = Some(Instant::now());
                }
            }
            if let Some((code, reason)) = consumer.client().fatal_error() {
                return ConsumerEnd::Fatal(code, reason);
            }
            if !stopping && consumer.context().has_joined_without_shards() {
                self.listener.trouble(None);
                self.listener.assigned(&[]);
            }
            let (silent, holds) = {
                let member = consumer.context().lock();
                // Most trouble comes from a connection to any broker. A member that survives it gets no new assignment,
                // so a response from the coordinator means that it is over.
                if member.assignment == Assignment::InForce && troubled.is_some_and(|since| member.heard > since) {
                    troubled = None;
                    self.listener.trouble(None);
                }
                (member.heard.elapsed(), !member.held.is_empty())
            };
            if silent > if holds { self.unheard_after } else { self.unjoined_after } {
                return ConsumerEnd::Unheard(silent);
            }
            let empty = || consumer.assignment().is_ok_and(|assignment| assignment.count() == 0);
            if leaving && empty() {
                // Dropping the consumer closes it, which leaves the group.
                return ConsumerEnd::Stopped;
            }
        }
    }

    /// Revokes what a consumer holds and gives the consumer up. It is closed on its own thread, because that may take
    /// long.
    fn retire(&mut self, consumer: Group<L>) {
        consumer.context().retired.store(true, Ordering::Release);
        let held: Vec<TopicShard> = std::mem::take(&mut consumer.context().lock().held).into_iter().collect();
        if !held.is_empty() {
            self.listener.revoked(&held, true);
        }
        self.closing.retain(|closing| !closing.is_finished());
        while self.closing.len() >= CLOSING_MAX && !self.stop.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(100));
            self.closing.retain(|closing| !closing.is_finished());
        }
        let closer = std::thread::Builder::new().name("membership-end".to_owned());
        match closer.spawn(move || drop(consumer)) {
            Ok(closing) => self.closing.push(closing),
            // The consumer has been dropped anyway, on this thread.
            Err(error) => tracing::warn!(%error, "no thread can be started to close a consumer"),
        }
    }

    /// Returns why no new consumer is to join; otherwise reports why one joins.
    fn is_over(&self, end: &ConsumerEnd, futile_for: Duration) -> Option<MembershipEnd> {
        let instance_id = self.settings.group_instance_id.clone().unwrap_or_default();
        match end {
            ConsumerEnd::Fatal(RDKafkaErrorCode::FencedInstanceId, reason) => {
                return Some(MembershipEnd::Namesake { instance_id, reason: reason.clone() });
            }
            ConsumerEnd::Fatal(RDKafkaErrorCode::UnreleasedInstanceId, reason) if futile_for > UNRELEASED_MAX => {
                return Some(MembershipEnd::Namesake { instance_id, reason: reason.clone() });
            }
            ConsumerEnd::Fatal(RDKafkaErrorCode::UnreleasedInstanceId, reason) => {
                let text = format!(
                    "{reason}; the broker reserves the shards for an earlier run of {instance_id:?} until its session is over \
                     (group.consumer.session.timeout.ms of the broker, 45 s by default, or \
                     consumer.session.timeout.ms of the group)"
                );
                let error = LogError { kind: LogErrorKind::Other, doing: JOINING, text };
                self.listener.trouble(Some(&error));
            }
            ConsumerEnd::Fatal(code, reason) => {
                let text = format!("{reason} ({code}); a new consumer joins the group");
                let error = LogError { kind: LogErrorKind::Other, doing: "staying in the group", text };
                self.listener.trouble(Some(&error));
            }
            ConsumerEnd::Unheard(silent) => {
                let text = format!(
                    "the group's coordinator has been silent for {} ms, longer than a session: all shards are \
                     released, and a new consumer joins",
                    silent.as_millis()
                );
                let error = LogError { kind: LogErrorKind::Timeout, doing: "staying in the group", text };
                self.listener.trouble(Some(&error));
            }
            ConsumerEnd::Stopped => {}
        }
        None
    }

    /// Waits before creating the next consumer, unless the worker stops.
    fn pause(&self, attempts: u32) {
        let pause = Duration::from_millis(100).saturating_mul(1 << attempts.min(6)).min(REJOIN_CAP);
        let until = Instant::now() + pause;
        while Instant::now() < until && !self.stop.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[cfg(test)]
#[path = "membership_tests.rs"]
mod tests;
