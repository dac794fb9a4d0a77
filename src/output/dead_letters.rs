//! The dead letters output: what is known of a fragment that is skipped.
//!
//! **Contract.** The key is the stream's name, the value the beginning of the fragment's bytes as they are, and the headers say
//! where the fragment was in its stream and what is wrong with it. It is written in the transaction that moves the stream's
//! position past the fragment: a fragment is published or its dead letter is. The headers that Kafka Connect has for dead
//! letters have its names; our own begin with `kvs.`.

use std::sync::Arc;

use super::dead_letter::DeadLetter;
use super::fragments::{BYTES_OVERHEAD_BYTES, MAX_MESSAGE_BYTES, data_topic_plan};
use super::framing::{Framing, SchemaError};
use super::kind::{Origin, Output, OutputKind, OutputSchemas, OutputSettings, OutputTopic};
use crate::config::ConnectorConfig;
use crate::kafka::TopicFacts;
use crate::kafka::topics::TopicPlan;
use crate::model::{Header, OnRefused, OutputId, Record, RecordOutput};

/// The maximum length of a reason in a header, in bytes.
const REASON_MAX_BYTES: usize = 8 << 10;

/// The kind of outputs for dead letters.
pub(super) struct DeadLetters;

impl OutputKind for DeadLetters {
    fn id(&self) -> OutputId {
        OutputId::DEAD_LETTERS
    }

    fn on_refused(&self) -> OnRefused {
        OnRefused::FailStream
    }

    fn topic_plan(&self, name: &str, settings: &OutputSettings<'_>) -> TopicPlan {
        let config = settings.connector.dead_letters.as_ref();
        let size_bytes = config.map_or(0, |config| config.value_max_bytes) + BYTES_OVERHEAD_BYTES;
        let mut plan = data_topic_plan(("errors.deadletterqueue.topic.name", name), settings.connector, size_bytes);
        // What topic.creation.default.* says of it is about records of another size.
        plan.config.insert(MAX_MESSAGE_BYTES.to_owned(), size_bytes.to_string());
        if let Some(factor) = config.and_then(|config| config.replication_factor) {
            plan.replication_factor = factor;
            plan.settings.replication_factor = "errors.deadletterqueue.topic.replication.factor";
        }
        plan
    }

    fn schemas(&self, _connector: &ConnectorConfig) -> OutputSchemas {
        OutputSchemas { key: None, value: None }
    }

    fn open(
        &self,
        connector: &ConnectorConfig,
        topic: OutputTopic,
        _framing: Framing,
        facts: &TopicFacts,
    ) -> Result<Arc<dyn Output>, SchemaError> {
        let accepted = facts.number(MAX_MESSAGE_BYTES).and_then(|most| usize::try_from(most).ok());
        let accepted = accepted.map_or(usize::MAX, |most| most.saturating_sub(BYTES_OVERHEAD_BYTES).max(most / 2));
        let wanted = connector.dead_letters.as_ref().map_or(0, |config| config.value_max_bytes);
        Ok(Arc::new(DeadLetterOutput { topic, value_max_bytes: wanted.min(accepted) }))
    }
}

/// The output of a connector's dead letters.
struct DeadLetterOutput {
    topic: OutputTopic,
    value_max_bytes: usize,
}

impl Output for DeadLetterOutput {
    fn of_record(&self) -> RecordOutput {
        RecordOutput { id: DeadLetters.id(), on_refused: DeadLetters.on_refused() }
    }

    fn topic(&self) -> &OutputTopic {
        &self.topic
    }

    fn dead_letter(&self, origin: &Origin<'_>, partition: i32, letter: &DeadLetter<'_>) -> Option<Record> {
        let value = letter.bytes.get(..self.value_max_bytes).unwrap_or(letter.bytes);
        let is_truncated = letter.size_bytes.is_none_or(|size_bytes| (value.len() as u64) < size_bytes);
        let mut headers = vec![
            Header::new("__connect.errors.connector.name", origin.key.connector.as_str()),
            Header::new("__connect.errors.stage", letter.stage),
            Header::new("__connect.errors.exception.message", beginning(letter.reason)),
            Header::new("kvs.stream", origin.stream_name),
            Header::new("kvs.fragment.number", letter.number.as_str()),
            Header::new("kvs.content.type", letter.content_type),
            Header::new("kvs.truncated", is_truncated.to_string()),
        ];
        headers.extend(letter.size_bytes.map(|size_bytes| Header::new("kvs.size.bytes", size_bytes.to_string())));
        let times =
            [("kvs.server.timestamp", letter.server_timestamp), ("kvs.producer.timestamp", letter.producer_timestamp)];
        for (name, time) in times {
            headers.extend(time.map(|time| Header::new(name, time.millis().to_string())));
        }
        Some(Record {
            output: Some(self.of_record()),
            topic: Arc::clone(&self.topic.name),
            partition,
            key: origin.stream_name.as_bytes().to_vec(),
            value: Some(value.to_vec().into()),
            headers,
            timestamp_ms: Some(origin.now_ms),
            sequence: None,
        })
    }
}

/// Returns the beginning of a text, within the limit.
fn beginning(text: &str) -> &str {
    let mut end = text.len().min(REASON_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
#[path = "dead_letters_tests.rs"]
mod tests;
