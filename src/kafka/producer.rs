//! The transactional producer of one shard.
//!
//! It waits without spinning: delivery reports arrive on librdkafka's polling thread, count down and wake a condition
//! variable. Committing with deliveries outstanding would take 102 ms whatever the size (docs/KAFKA.md, "Transactions").
//! Records that librdkafka could not send yet are held here ([`window`]), because its broker's thread spins while it holds them, and
//! those that would make a batch larger than their topic accepts.

mod outgoing;
mod window;

use std::collections::BTreeSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::util::Timeout;
use rdkafka::{ClientContext, Message};

use super::context;
use super::data_topics::DataTopics;
use super::error::{kind_of, needing, timed_out, to_log_error};
use super::settings::{self, KafkaSettings};
use crate::model::{IdScheme, LogError, LogErrorKind, Record, ShardId, TransactionalProducer};
use crate::supervision::{Part, catch, fault_point};
use outgoing::{Outgoing, Sent};
use window::{Held, Unacknowledged, Window, size_bytes};

/// How long to wait for the reason why records were purged.
const REASON_TIMEOUT: Duration = Duration::from_secs(1);

/// The delivery reports of the records sent.
struct Deliveries {
    state: Mutex<DeliveryState>,
    changed: Condvar,
    data_topics: Option<Arc<DataTopics>>,
}

#[derive(Debug)]
struct DeliveryState {
    outstanding: usize,
    /// The outstanding records by partition.
    window: Window,
    failed: Option<Failure>,
    /// Topics written to in this transaction.
    topics: BTreeSet<String>,
    /// The client's error for the transaction as a whole; only its log has it in time.
    transaction_error: Option<String>,
}

/// Why a record was not delivered.
#[derive(Debug)]
struct Failure {
    error: LogError,
    /// Whether it was purged because another record failed, whose reason is on its way.
    purged: bool,
    since: Instant,
}

impl Deliveries {
    fn new(window: Window, data_topics: Option<Arc<DataTopics>>) -> Self {
        let state =
            DeliveryState { outstanding: 0, window, failed: None, topics: BTreeSet::new(), transaction_error: None };
        Self { state: Mutex::new(state), changed: Condvar::new(), data_topics }
    }

    fn lock(&self) -> MutexGuard<'_, DeliveryState> {
        // Nothing panics while the lock is held, and fields are changed one by one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done` or a failure, at most until `deadline`; `false`: the deadline has passed.
    fn wait(&self, deadline: Instant, done: impl Fn(&DeliveryState) -> bool) -> Result<bool, LogError> {
        let mut state = self.lock();
        loop {
            let mut deadline = deadline;
            match &state.failed {
                Some(failed) if failed.purged && state.outstanding > 0 && failed.since.elapsed() < REASON_TIMEOUT => {
                    deadline = deadline.min(failed.since + REASON_TIMEOUT);
                }
                Some(failed) => return Err(failed.error.clone()),
                None if done(&state) => return Ok(true),
                None => {}
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() && state.failed.is_some() {
                continue;
            }
            if left.is_zero() {
                return Ok(false);
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Counts delivery reports.
struct DeliveryContext(Arc<Deliveries>);

impl ClientContext for DeliveryContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if facility.contains("TXNERR") || message.contains("ransaction failed") {
            self.0.lock().transaction_error.get_or_insert_with(|| message.to_owned());
        }
        context::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        context::log_error(&error, reason);
    }
}

impl ProducerContext for DeliveryContext {
    /// With the index of the record in its transaction.
    type DeliveryOpaque = Sent;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Sent) {
        let index = sent.tag;
        // Before anybody hears of it: a value's buffer is then free for the next one.
        drop(sent);
        // A panic would end the client's polling thread, and the shard would wait for reports that never come.
        if let Err(panicked) = catch(Part::Callback, || self.0.note(result, index)) {
            let error =
                LogError { kind: LogErrorKind::Other, doing: "handling a delivery report", text: panicked.to_string() };
            self.0.lock().failed = Some(Failure { error, purged: false, since: Instant::now() });
        }
        self.0.changed.notify_all();
    }
}

impl Deliveries {
    /// Counts a delivery report.
    fn note(&self, result: &DeliveryResult<'_>, index: usize) {
        fault_point(Part::Callback);
        let mut state = self.lock();
        state.outstanding = state.outstanding.saturating_sub(1);
        let unacknowledged = state.window.unacknowledged(index);
        state.window.remove(index);
        if let Err((error, message)) = result {
            let purged = matches!(
                error.rdkafka_error_code(),
                Some(
                    RDKafkaErrorCode::PurgeQueue
                        | RDKafkaErrorCode::PurgeInflight
                        // The record was in a batch in which another one was refused.
                        | RDKafkaErrorCode::InvalidDifferentRecord
                )
            );
            if state.failed.as_ref().is_none_or(|failed| failed.purged && !purged) {
                let error = match &state.transaction_error {
                    Some(text) if purged => transaction_error(text, &state.topics),
                    _ => self
                        .batch_error(error, message.topic(), unacknowledged)
                        .unwrap_or_else(|| delivery_error(error, index, message.topic(), message.payload_len())),
                };
                let purged = purged && error.kind != LogErrorKind::NotAuthorized;
                state.failed = Some(Failure { error, purged, since: Instant::now() });
            }
        }
    }

    /// Returns the error for a batch of several records that is larger than its topic accepts, and has the next batches made smaller;
    /// `None`: it was another error, or a single record.
    fn batch_error(&self, error: &KafkaError, topic: &str, unacknowledged: Unacknowledged) -> Option<LogError> {
        let is_too_large = error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge);
        let Unacknowledged { records, size_bytes, batch_max_bytes } = unacknowledged;
        let several = is_too_large && records > 1;
        let next_bytes =
            several.then(|| self.data_topics.as_ref()?.batch_refused(topic, size_bytes.min(batch_max_bytes)))??;
        let text = format!(
            "topic {topic}: a batch of up to {size_bytes} bytes is larger than its max.message.bytes; batches of at most {next_bytes} \
             bytes are tried next"
        );
        Some(LogError { kind: LogErrorKind::Other, doing: "delivering a batch", text })
    }
}

fn delivery_error(error: &KafkaError, index: usize, topic: &str, size_bytes: usize) -> LogError {
    const DOING: &str = "delivering a record";
    let mut log_error = needing(to_log_error(DOING, error), &format!("Write on topic {topic}"));
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
            log_error.kind = LogErrorKind::RecordTooLarge { index, size_bytes, limit_bytes: None };
            log_error.text = format!("topic {topic}: {}; raise its max.message.bytes", log_error.text);
        }
        Some(RDKafkaErrorCode::InvalidTimestamp) => log_error.kind = LogErrorKind::TimestampRefused { index },
        Some(
            RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition,
        ) => {
            log_error.kind = LogErrorKind::TopicRefused { index, topic: topic.to_owned() };
            if !log_error.text.contains(topic) {
                log_error.text = format!(
                    "topic {topic}: {}; the topic, or its partition, does not exist: create it again, or restart the connector, which \
                     creates it",
                    log_error.text
                );
            }
        }
        _ => log_error.text = format!("topic {topic}: {}", log_error.text),
    }
    log_error
}

/// Returns the error for records that were purged with their transaction.
fn transaction_error(text: &str, topics: &BTreeSet<String>) -> LogError {
    let refused = text.contains("TOPIC_AUTHORIZATION_FAILED");
    let kind = if refused { LogErrorKind::NotAuthorized } else { LogErrorKind::Other };
    let topics = topics.iter().map(String::as_str).collect::<Vec<_>>().join(" and ");
    needing(
        LogError { kind, doing: "writing a transaction", text: text.to_owned() },
        &format!("Write on topic {topics}"),
    )
}

/// The producer of a shard.
pub struct ShardProducer {
    producer: ThreadedProducer<DeliveryContext>,
    deliveries: Arc<Deliveries>,
    /// Records sent in this transaction, with those that are held.
    sent: usize,
    held: Held,
    offsets_topic: String,
    /// The transactional id.
    id: String,
    shard: ShardId,
    message_max_bytes: usize,
    /// The time within which librdkafka delivers a record or gives it up.
    delivery_timeout: Duration,
    init_timeout: Duration,
}

impl ShardProducer {
    /// Creates a producer with the shard's transactional id. `data_topics` knows which batches the topics accept.
    ///
    /// # Errors
    /// When librdkafka rejects the settings.
    pub fn new(
        settings: &KafkaSettings,
        shard: ShardId,
        scheme: IdScheme,
        data_topics: Option<Arc<DataTopics>>,
    ) -> Result<Self, LogError> {
        let config = settings.producer_config(shard, scheme);
        let deliveries = Arc::new(Deliveries::new(Window::new(settings::batch_limits(&config)), data_topics));
        let context = DeliveryContext(Arc::clone(&deliveries));
        let producer =
            config.create_with_context(context).map_err(|error| to_log_error("creating a producer", &error))?;
        let transaction_timeout = Duration::from_millis(settings.transaction_timeout_ms);
        Ok(Self {
            producer,
            deliveries,
            sent: 0,
            held: Held::default(),
            offsets_topic: settings.offsets_topic.clone(),
            id: settings.transactional_id(shard, scheme),
            shard,
            message_max_bytes: settings.message_max_bytes,
            delivery_timeout: transaction_timeout + Duration::from_secs(5),
            init_timeout: transaction_timeout + Duration::from_secs(15),
        })
    }
}

impl ShardProducer {
    fn error(&self, doing: &'static str, error: &KafkaError) -> LogError {
        let grant = format!("Write and Describe on transactional id {}, or on those with the group's prefix", self.id);
        needing(to_log_error(doing, error), &grant)
    }

    /// Returns an error with what it means, if only the client knows that: of records that were purged with their transaction
    /// it reports the reason as text, and the code as its own fatal error.
    fn explained(&self, error: LogError) -> LogError {
        match self.producer.client().fatal_error() {
            Some((code, _)) if error.kind == LogErrorKind::Other => LogError { kind: kind_of(code), ..error },
            _ => error,
        }
    }

    /// Returns why a record that was sent before has failed, if one has: its transaction accepts no more, and only that record's
    /// report says whose fault that is.
    fn failed_before(&self) -> Result<(), LogError> {
        let reported = self.deliveries.wait(Instant::now() + REASON_TIMEOUT, |_| false);
        reported.map(drop).map_err(|error| self.explained(error))
    }

    /// Hands a record to librdkafka.
    fn hand_over(&self, index: usize, partition: usize, record: Record) -> Result<(), LogError> {
        const DOING: &str = "sending a record";
        let deadline = Instant::now() + self.delivery_timeout;
        {
            let mut state = self.deliveries.lock();
            state.outstanding += 1;
            state.window.add(index, partition, size_bytes(&record));
            if !state.topics.contains(&*record.topic) {
                state.topics.insert(record.topic.to_string());
            }
        }
        let mut outgoing = Outgoing::new(record);
        loop {
            let Err(refused) = outgoing.send(&self.producer, index) else { return Ok(()) };
            let (error, back) = *refused;
            outgoing = back;
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => {
                    // The next delivery makes room.
                    let before = self.deliveries.lock().outstanding;
                    if !self.deliveries.wait(deadline, |state| state.outstanding < before || before <= 1)? {
                        return Err(timed_out(DOING, "librdkafka's queue stays full".to_owned()));
                    }
                }
                code => {
                    {
                        let mut state = self.deliveries.lock();
                        state.outstanding = state.outstanding.saturating_sub(1);
                        state.window.remove(index);
                    }
                    if code == Some(RDKafkaErrorCode::State) {
                        self.failed_before()?;
                    }
                    let size_bytes = outgoing.value_bytes();
                    let mut log_error = delivery_error(&error, index, outgoing.topic(), size_bytes);
                    log_error.doing = DOING;
                    if code == Some(RDKafkaErrorCode::MessageSizeTooLarge) {
                        let limit_bytes = Some(self.message_max_bytes);
                        log_error.kind = LogErrorKind::RecordTooLarge { index, size_bytes, limit_bytes };
                    }
                    return Err(self.explained(log_error));
                }
            }
        }
    }

    /// Hands over those held records of a partition that librdkafka would send now.
    fn hand_over_held(&mut self, partition: usize) -> Result<(), LogError> {
        loop {
            let next = self.held.take(partition, &mut self.deliveries.lock().window);
            let Some((index, record)) = next else { return Ok(()) };
            self.hand_over(index, partition, record)?;
        }
    }
}

impl TransactionalProducer for ShardProducer {
    fn init(&mut self) -> Result<(), LogError> {
        // Without a connection to a broker that it knows by id, librdkafka delays looking for the coordinator by 500
        // ms. A request to the shard's leader waits for one; its result must not be used before init (rule 1).
        let (topic, partition) = (&self.offsets_topic, self.shard.0);
        let client = self.producer.client();
        let connected = client
            .fetch_metadata(Some(topic), self.init_timeout)
            .and_then(|_| client.fetch_watermarks(topic, partition, self.init_timeout));
        connected.map_err(|error| {
            needing(to_log_error("connecting a producer", &error), &format!("Describe on topic {topic}"))
        })?;
        let result = self.producer.init_transactions(self.init_timeout);
        result.map_err(|error| self.error("initialising the transactional id", &error))
    }

    fn begin(&mut self) -> Result<(), LogError> {
        self.sent = 0;
        self.held.clear();
        {
            let mut state = self.deliveries.lock();
            state.topics.clear();
            state.window.clear();
        }
        self.producer.begin_transaction().map_err(|error| self.error("beginning a transaction", &error))
    }

    fn send(&mut self, record: Record) -> Result<(), LogError> {
        let index = self.sent;
        self.sent += 1;
        let partition = self.held.partition(&record.topic, record.partition);
        let is_due = {
            let mut state = self.deliveries.lock();
            if !state.window.is_limited(partition) {
                let topics = self.deliveries.data_topics.as_ref();
                state.window.limit(partition, topics.and_then(|topics| topics.batch_max_bytes(&record.topic)));
            }
            self.held.push(partition, index, record);
            self.held.is_due(partition, &state.window)
        };
        if is_due { self.hand_over_held(partition) } else { Ok(()) }
    }

    fn drain(&mut self) -> Result<(), LogError> {
        let deadline = Instant::now() + self.delivery_timeout;
        let mut drained = loop {
            for partition in 0..self.held.partition_count() {
                self.hand_over_held(partition)?;
            }
            // What is still held waits for reports of its own partition.
            let (held, all_handed_over) = (&self.held, self.held.is_empty());
            let done = |state: &DeliveryState| {
                if all_handed_over { state.outstanding == 0 } else { held.may_go_on(&state.window) }
            };
            let in_time = self.deliveries.wait(deadline, done).map_err(|error| self.explained(error))?;
            if all_handed_over || !in_time {
                break in_time;
            }
        };
        // The last report is handled microseconds before librdkafka releases its event. Committing in between costs the
        // hundred milliseconds that draining is to save.
        while drained && self.producer.in_flight_count() > 0 {
            std::thread::yield_now();
            drained = Instant::now() < deadline;
        }
        if drained {
            return Ok(());
        }
        Err(timed_out("waiting for acknowledgements", format!("none within {} s", self.delivery_timeout.as_secs())))
    }

    fn commit(&mut self) -> Result<(), LogError> {
        // librdkafka bounds this by transaction.timeout.ms; a shorter wait would leave the outcome unknown.
        let result = self.producer.commit_transaction(Timeout::Never);
        result.map_err(|error| self.error("committing", &error))
    }
}

#[cfg(test)]
#[path = "producer_tests.rs"]
mod tests;
