//! A record on its way to librdkafka: large values are lent, small ones copied.

use bytes::Bytes;
use kvs_native::{Lent, LentRecord, send_lent};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};

use crate::model::Record;

/// The size from which a value is lent. librdkafka copies smaller ones into its request once more, so nothing would be saved by
/// lending them, and their blocks cost an allocator little.
const LENT_MIN_BYTES: usize = 64 << 10;

/// What comes back with a delivery report: the record's index in its transaction.
pub(super) type Sent = Box<Lent<usize>>;

/// A record, which comes back when librdkafka does not take it.
pub(super) struct Outgoing {
    /// Without its value, if that is to be lent.
    record: Record,
    lent: Option<Bytes>,
}

impl Outgoing {
    pub(super) fn new(mut record: Record) -> Self {
        let is_large = record.value.as_ref().is_some_and(|value| value.len() >= LENT_MIN_BYTES);
        let lent = record.value.take_if(|_| is_large).map(Bytes::from_owner);
        Self { record, lent }
    }

    /// Returns the topic.
    pub(super) fn topic(&self) -> &str {
        &self.record.topic
    }

    /// Returns the value's size, in bytes.
    pub(super) fn value_bytes(&self) -> usize {
        let copied = self.record.value.as_ref().map_or(0, |value| value.len());
        self.lent.as_ref().map_or(copied, Bytes::len)
    }

    /// Hands the record to the producer; `index` comes back with the delivery report.
    pub(super) fn send<C: ProducerContext<DeliveryOpaque = Sent> + 'static>(
        mut self,
        producer: &ThreadedProducer<C>,
        index: usize,
    ) -> Result<(), Box<(KafkaError, Self)>> {
        let sent = match self.lent.take() {
            Some(value) => self.lend(producer, value, index),
            None => self.copy(producer, index),
        };
        sent.map_err(|(error, lent)| Box::new((error, Self { lent, ..self })))
    }

    fn lend<C: ProducerContext<DeliveryOpaque = Sent> + 'static>(
        &self,
        producer: &ThreadedProducer<C>,
        value: Bytes,
        index: usize,
    ) -> Result<(), (KafkaError, Option<Bytes>)> {
        let record = &self.record;
        let headers = record.headers.iter().map(|header| (header.name.as_ref(), header.value.as_slice()));
        let headers: Vec<(&str, &[u8])> = headers.collect();
        let outgoing = LentRecord {
            topic: &record.topic,
            partition: record.partition,
            key: &record.key,
            headers: &headers,
            timestamp_ms: record.timestamp_ms,
        };
        send_lent(producer, outgoing, value, index).map_err(|(error, value, _)| (error, Some(value)))
    }

    fn copy<C: ProducerContext<DeliveryOpaque = Sent> + 'static>(
        &self,
        producer: &ThreadedProducer<C>,
        index: usize,
    ) -> Result<(), (KafkaError, Option<Bytes>)> {
        let record = &self.record;
        let mut outgoing: BaseRecord<'_, [u8], [u8], Sent> =
            BaseRecord::with_opaque_to(&record.topic, Box::new(Lent::nothing(index)))
                .partition(record.partition)
                .key(&record.key);
        if let Some(value) = &record.value {
            outgoing = outgoing.payload(value);
        }
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            outgoing = outgoing.headers(record.headers.iter().fold(headers, |headers, header| {
                headers.insert(Header { key: &header.name, value: Some(&header.value) })
            }));
        }
        if let Some(timestamp_ms) = record.timestamp_ms {
            outgoing = outgoing.timestamp(timestamp_ms);
        }
        producer.send(outgoing).map_err(|(error, _)| (error, None))
    }
}
