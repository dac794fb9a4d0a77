//! What a consumer reads from a topic.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use apache_avro::Schema;
use apache_avro::reader::single_object::GenericSingleObjectReader;
use apache_avro::types::Value;
use rdkafka::consumer::Consumer;
use rdkafka::message::{BorrowedMessage, Headers};
use rdkafka::{Message, Offset, TopicPartitionList};
use sha2::{Digest, Sha256};

use crate::kafka::consumer;
use crate::wait::wait_for;

/// Which records of transactions a consumer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Committed records only.
    Committed,
    /// Records of committed, open and aborted transactions.
    Uncommitted,
}

/// A fragment as a consumer reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Stream name, from the header `kvs.stream`.
    pub stream: String,
    /// Fragment number, from the key.
    pub number: String,
    /// The fragment's sequence number among those published of its stream; earlier versions wrote none.
    pub sequence: Option<i64>,
    /// Whether a decoder can begin with the fragment; earlier versions wrote nothing about it.
    pub random_access: Option<bool>,
    /// Whether the fragment does not continue the one before it; earlier versions wrote nothing about it.
    pub discontinuity: Option<bool>,
    /// SHA-256 of the payload, in hex.
    pub sha256: String,
    /// Size of the payload, in bytes.
    pub size_bytes: usize,
    /// Partition of the record.
    pub partition: i32,
    /// Kafka's timestamp of the record, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// Reads all fragments of a topic up to its current end, in the order of each partition.
///
/// # Panics
/// Panics if the topic cannot be read within two minutes.
pub fn read_topic(bootstrap: &str, topic: &str, isolation: Isolation) -> Vec<Seen> {
    read_all(bootstrap, topic, isolation, decode)
}

/// Returns whether a topic exists.
pub fn exists(bootstrap: &str, topic: &str) -> bool {
    let consumer = consumer(bootstrap, "read_committed");
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(15));
    metadata.is_ok_and(|metadata| metadata.topics().iter().all(|topic| !topic.partitions().is_empty()))
}

/// Reads keys and values of all committed records of a topic. The value of a tombstone is empty.
///
/// # Panics
/// Panics if the topic cannot be read within two minutes.
pub fn read_raw(bootstrap: &str, topic: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    read_all(bootstrap, topic, Isolation::Committed, |message| {
        (message.key().unwrap_or_default().to_vec(), message.payload().unwrap_or_default().to_vec())
    })
}

/// A record as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// Partition of the record.
    pub partition: i32,
    /// Key.
    pub key: Vec<u8>,
    /// Value; empty for a tombstone.
    pub value: Vec<u8>,
    /// Headers, in their order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl RawRecord {
    /// Returns a header's value as text, if there is such a header.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

/// Reads all committed records of a topic, in the order of each partition.
///
/// # Panics
/// Panics if the topic cannot be read within two minutes.
pub fn read_records(bootstrap: &str, topic: &str) -> Vec<RawRecord> {
    read_all(bootstrap, topic, Isolation::Committed, |message| {
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        let header = |header: rdkafka::message::Header<'_, &[u8]>| {
            (header.key.to_owned(), header.value.unwrap_or_default().to_vec())
        };
        RawRecord {
            partition: message.partition(),
            key: message.key().unwrap_or_default().to_vec(),
            value: message.payload().unwrap_or_default().to_vec(),
            headers: headers.map(header).collect(),
        }
    })
}

/// Reads the notifications of a topic: the fields of each, by name.
///
/// # Panics
/// Panics if the topic cannot be read within two minutes.
pub fn read_notifications(bootstrap: &str, topic: &str) -> Vec<HashMap<String, Value>> {
    static READERS: OnceLock<Readers> = OnceLock::new();
    let schema = include_str!("../../../schemas/notification.avsc");
    // Earlier versions wrote the second fingerprint with the same schema.
    let readers = readers(&READERS, &[("9f029d41273bd21f", schema), ("6c0edc2af111423f", schema)]);
    read_all(bootstrap, topic, Isolation::Committed, |message| {
        read_fields(readers, message.payload().expect("a value")).into_iter().collect()
    })
}

/// Readers of single objects, each with its schema's fingerprint as Java and Python compute it, in hex.
type Readers = Vec<(String, GenericSingleObjectReader)>;

fn readers(cell: &'static OnceLock<Readers>, schemas: &[(&str, &str)]) -> &'static Readers {
    cell.get_or_init(|| {
        let reader = |(fingerprint, schema): &(&str, &str)| {
            let schema = Schema::parse_str(schema).expect("the schema");
            // The header is checked below, so the reader expects none.
            let reader = GenericSingleObjectReader::builder().schema(schema).header(Vec::new()).build();
            ((*fingerprint).to_owned(), reader.expect("a reader"))
        };
        schemas.iter().map(reader).collect()
    })
}

/// Returns the fields of a single object, unwrapped from their unions.
fn read_fields(readers: &Readers, bytes: &[u8]) -> Vec<(String, Value)> {
    let (header, mut datum) = bytes.split_at(10);
    assert_eq!(header[..2], [0xC3, 0x01], "no single object");
    let fingerprint = hex(&header[2..]);
    let reader = readers.iter().find(|(known, _)| *known == fingerprint);
    let (_, reader) = reader.unwrap_or_else(|| panic!("the fingerprint {fingerprint} is of no published schema"));
    let Value::Record(fields) = reader.read_value(&mut datum).expect("a value of the schema") else {
        panic!("no record")
    };
    assert!(datum.is_empty(), "{} bytes are left over", datum.len());
    let inner = |value| if let Value::Union(_, inner) = value { *inner } else { value };
    fields.into_iter().map(|(name, value)| (name, inner(value))).collect()
}

fn read_all<T>(
    bootstrap: &str,
    topic: &str,
    isolation: Isolation,
    decode: impl Fn(&BorrowedMessage<'_>) -> T,
) -> Vec<T> {
    let level = match isolation {
        Isolation::Committed => "read_committed",
        Isolation::Uncommitted => "read_uncommitted",
    };
    let consumer = consumer(bootstrap, level);
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(15)).expect("metadata");
    let mut partitions = TopicPartitionList::new();
    let mut ends = HashMap::new();
    for partition in metadata.topics()[0].partitions() {
        // The leader of a topic that has just been created may not know it yet.
        let mut bounds = None;
        wait_for("the bounds of a partition", || {
            bounds = consumer.fetch_watermarks(topic, partition.id(), Duration::from_secs(15)).ok();
            bounds.is_some()
        });
        let (start, end) = bounds.expect("bounds");
        partitions.add_partition_offset(topic, partition.id(), Offset::Offset(start)).expect("a partition");
        if start < end {
            ends.insert(partition.id(), end);
        }
    }
    consumer.assign(&partitions).expect("an assignment");
    let began = Instant::now();
    let mut seen = Vec::new();
    loop {
        let positions = consumer.position().expect("positions");
        let done = ends.iter().all(|(&partition, &end)| {
            matches!(positions.find_partition(topic, partition).map(|p| p.offset()), Some(Offset::Offset(at)) if at >= end)
        });
        if done {
            return seen;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "topic {topic} cannot be read to its end");
        match consumer.poll(Duration::from_millis(20)) {
            Some(Ok(message)) => seen.push(decode(&message)),
            Some(Err(error)) => eprintln!("reading {topic}: {error}"),
            None => {}
        }
    }
}

fn decode(message: &BorrowedMessage<'_>) -> Seen {
    let fields = fragment(message.payload().expect("a value"));
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value);
    let flag = |name: &str| field(name).map(|value| *value == Value::Boolean(true));
    let sequence = if let Some(Value::Long(sequence)) = field("sequence") { Some(*sequence) } else { None };
    let Some((_, Value::Bytes(payload))) = fields.last() else { panic!("the last field of {fields:?} is no payload") };
    let header = |name: &str| {
        let headers = message.headers().expect("headers");
        let header = headers.iter().find(|header| header.key == name).unwrap_or_else(|| panic!("header {name}"));
        String::from_utf8(header.value.expect("its value").to_vec()).expect("text")
    };
    let number = String::from_utf8(message.key().expect("a key").to_vec()).expect("text");
    assert_eq!(header("kvs.fragment.number"), number);
    assert!(!header("content-type").is_empty());
    if sequence.is_some() {
        // Since records have sequence numbers, the payload's type has a header of its own.
        assert_eq!(header("content-type"), "avro/binary");
        assert!(!header("kvs.content.type").is_empty());
    }
    Seen {
        stream: header("kvs.stream"),
        number,
        sequence,
        random_access: flag("random_access"),
        discontinuity: flag("discontinuity"),
        sha256: hex(&Sha256::digest(payload)),
        size_bytes: payload.len(),
        partition: message.partition(),
        timestamp_ms: message.timestamp().to_millis().expect("a timestamp"),
    }
}

/// Returns the fields of a fragment, read by the Avro library with the published schema or an earlier one.
fn fragment(bytes: &[u8]) -> Vec<(String, Value)> {
    static READERS: OnceLock<Readers> = OnceLock::new();
    let readers = readers(
        &READERS,
        &[
            ("fe7f620bbf316df9", include_str!("../../../schemas/fragment.avsc")),
            ("4f4a67913c2b6703", include_str!("../../../schemas/earlier/fragment-4f4a67913c2b6703.avsc")),
        ],
    );
    read_fields(readers, bytes)
}

/// Returns bytes as hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
