use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use rdkafka::producer::DeliveryResult;

use super::*;

/// Counts its values in memory.
struct Owner(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // What reads it later finds something else.
        self.0.fill(0);
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

fn value(byte: u8, alive: &Arc<AtomicUsize>) -> Bytes {
    alive.fetch_add(1, Ordering::SeqCst);
    Bytes::from_owner(Owner(vec![byte; 100_000], Arc::clone(alive)))
}

/// A record as it was when its delivery was reported.
#[derive(PartialEq, Eq)]
struct Reported {
    tag: usize,
    is_delivered: bool,
    key: Vec<u8>,
    value: Vec<u8>,
}

#[derive(Default)]
struct Reports(Arc<Mutex<Vec<Reported>>>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Lent<usize>>;

    fn delivery(&self, result: &DeliveryResult<'_>, lent: Box<Lent<usize>>) {
        let (message, is_delivered) = match result {
            Ok(message) => (message, true),
            Err((_, message)) => (message, false),
        };
        let of = |bytes: Option<&[u8]>| bytes.unwrap_or_default().to_vec();
        let reported = Reported { tag: lent.tag, is_delivered, key: of(message.key()), value: of(message.payload()) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(reported);
    }
}

/// A producer of a cluster that does not exist.
fn producer(settings: &[(&str, &str)]) -> (ThreadedProducer<Reports>, Arc<Mutex<Vec<Reported>>>) {
    let reports = Reports::default();
    let seen = Arc::clone(&reports.0);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", "127.0.0.1:1");
    settings.iter().for_each(|(key, value)| {
        config.set(*key, *value);
    });
    (config.create_with_context(reports).unwrap(), seen)
}

fn record<'a>(topic: &'a str, headers: &'a [(&'a str, &'a [u8])]) -> LentRecord<'a> {
    LentRecord { topic, partition: 0, key: b"key", headers, timestamp_ms: Some(1) }
}

#[test]
fn a_value_is_kept_until_its_record_is_reported() {
    let alive = Arc::new(AtomicUsize::new(0));
    let (producer, reports) = producer(&[]);
    let headers: [(&str, &[u8]); 2] = [("kvs.stream", b"a"), ("empty", b"")];
    for tag in 0..10 {
        send_lent(&producer, record("topic", &headers), value(u8::try_from(tag).unwrap(), &alive), tag).unwrap();
    }
    // Not `in_flight_count`: that counts what the client has to say, too, which is that nobody listens at its broker's port.
    assert_eq!(alive.load(Ordering::SeqCst), 10);
    // What is queued is purged, and reported.
    drop(producer);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    let mut reports = std::mem::take(&mut *reports.lock().unwrap());
    reports.sort_by_key(|report| report.tag);
    let expected = (0..10).map(|tag| Reported {
        tag,
        is_delivered: false,
        key: b"key".to_vec(),
        value: vec![u8::try_from(tag).unwrap(); 100_000],
    });
    // Without the values' megabyte in the failure.
    assert!(reports == expected.collect::<Vec<_>>(), "the reports differ from what was sent");
}

#[test]
fn what_librdkafka_does_not_take_comes_back() {
    let alive = Arc::new(AtomicUsize::new(0));
    let (producer, reports) = producer(&[("message.max.bytes", "50000")]);
    let (error, back, tag) = send_lent(&producer, record("topic", &[]), value(7, &alive), 3).unwrap_err();
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::MessageSizeTooLarge));
    assert!(back[..] == [7_u8; 100_000] && tag == 3, "the value came back with {} bytes, the tag as {tag}", back.len());
    let (error, back, _) = send_lent(&producer, record("to\0pic", &[]), back, 3).unwrap_err();
    assert!(matches!(error, KafkaError::Nul(_)), "{error}");
    let (error, back, _) = send_lent(&producer, record("topic", &[("na\0me", b"")]), back, 3).unwrap_err();
    assert!(matches!(error, KafkaError::Nul(_)), "{error}");
    drop(back);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    drop(producer);
    assert!(reports.lock().unwrap().is_empty());
}
