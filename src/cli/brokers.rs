//! Requests to Kafka from the command line.

use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use super::failure::{EXIT_CONFIG, EXIT_UNAVAILABLE, Failure};
use crate::config::WorkerConfig;
use crate::kafka::{FailureContext, Unreachable, client_config, last_failure};
use crate::nearest::nearest;

/// How long a request to Kafka may take, and how long Kafka may be unavailable.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Returns a consumer of committed records, once Kafka responds.
pub(super) fn connect(worker: &WorkerConfig) -> Result<BaseConsumer<FailureContext>, Failure> {
    let mut config = client_config();
    config
        .set("bootstrap.servers", &worker.bootstrap_servers)
        .set("group.id", "kvs-connect-tail")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "50")
        .set("queued.max.messages.kbytes", "65536");
    for (key, value) in worker.common.iter().chain(&worker.consumer) {
        config.set(key, value);
    }
    let consumer: BaseConsumer<FailureContext> =
        config.create_with_context(FailureContext::default()).map_err(|error| Failure::new(EXIT_CONFIG, error))?;
    let began = Instant::now();
    while let Err(error) = consumer.fetch_metadata(Some("__kvs-connect-probe"), Duration::from_secs(3)) {
        if began.elapsed() > CALL_TIMEOUT {
            return Err(unreachable(
                &worker.bootstrap_servers,
                &Unreachable { error, reason: last_failure(&consumer) },
            ));
        }
    }
    Ok(consumer)
}

/// Reasons why a topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum TopicReadError {
    /// Kafka's client has failed.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// Kafka describes no such topic to this user.
    #[error("the topic does not exist, or may not be read")]
    NotFound,
}

/// Returns the failure of a command that cannot reach Kafka.
pub(super) fn unreachable(bootstrap_servers: &str, reason: &Unreachable) -> Failure {
    let line = format!(
        "Kafka at {bootstrap_servers} cannot be reached: {reason}; check bootstrap.servers (--bootstrap-servers, or the \
         file of --worker), and security.protocol if Kafka requires authentication"
    );
    Failure::new(EXIT_UNAVAILABLE, line)
}

/// Returns the partitions of a topic.
///
/// # Errors
/// Kafka's error, or `NotFound`.
pub(super) fn partitions(consumer: &BaseConsumer<FailureContext>, topic: &str) -> Result<Vec<i32>, TopicReadError> {
    partitions_within(consumer, topic, CALL_TIMEOUT)
}

/// Returns the partitions of a topic, if Kafka responds within this time.
///
/// # Errors
/// Kafka's error, or `NotFound`.
pub(super) fn partitions_within(
    consumer: &BaseConsumer<FailureContext>,
    topic: &str,
    time: Duration,
) -> Result<Vec<i32>, TopicReadError> {
    let metadata = consumer.fetch_metadata(Some(topic), time)?;
    let found = metadata.topics().first().filter(|found| found.error().is_none() && !found.partitions().is_empty());
    let found = found.ok_or(TopicReadError::NotFound)?;
    Ok(found.partitions().iter().map(|partition| partition.id()).collect())
}

/// Returns the name of a topic that is meant, perhaps, for a message; nothing if there is none, or the topic itself is there.
pub(super) fn hint(consumer: &BaseConsumer<FailureContext>, topic: &str) -> String {
    let names = topic_names(consumer).unwrap_or_default();
    let meant = nearest(topic, names.iter().map(String::as_str)).filter(|name| *name != topic);
    meant.map_or(String::new(), |name| format!("; there is a topic {name}"))
}

/// Returns the names of all topics.
pub(super) fn topic_names(consumer: &BaseConsumer<FailureContext>) -> Result<Vec<String>, KafkaError> {
    let metadata = consumer.fetch_metadata(None, CALL_TIMEOUT)?;
    Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
}

/// Returns whether a consumer has read each partition (topic, partition, end) up to its end. Positions move past markers and
/// aborted records.
pub(super) fn have_reached<'a>(
    consumer: &BaseConsumer<FailureContext>,
    mut ends: impl Iterator<Item = (&'a str, i32, i64)>,
) -> bool {
    let Ok(positions) = consumer.position() else { return false };
    ends.all(|(topic, partition, end)| {
        let position = positions.find_partition(topic, partition).map(|element| element.offset());
        matches!(position, Some(Offset::Offset(offset)) if offset >= end)
    })
}
