#![allow(clippy::unwrap_used)]

use super::super::fake::FakeLog;
use super::*;
use crate::model::log::ShardLog;
use crate::model::{IdScheme, OnRefused};

fn publication(number: Option<u64>) -> Publication {
    let offset = number.map(|number| StoredOffset {
        continuation_token: None,
        fragment_number: number.to_string().parse().unwrap(),
        server_timestamp: None,
        producer_timestamp: None,
        sequence: None,
        data_partitions: Vec::new(),
        continuity: kvs_mkv::Continuity::default(),
        frames: None,
    });
    let record = Record {
        output: Some(match number {
            Some(_) => RecordOutput { id: OutputId::FRAGMENTS, on_refused: OnRefused::FailStream },
            None => RecordOutput { id: OutputId::NOTIFICATIONS, on_refused: OnRefused::Drop },
        }),
        topic: if number.is_some() { "data" } else { "notifications" }.into(),
        partition: 0,
        key: number.map_or("told".to_owned(), |number| number.to_string()).into_bytes(),
        value: Some(vec![1].into()),
        headers: Vec::new(),
        timestamp_ms: None,
        sequence: None,
    };
    let (records, notifications) = if number.is_some() { (vec![record], vec![]) } else { (vec![], vec![record]) };
    let key = OffsetKey { connector: "c".to_owned(), stream: "s".to_owned() };
    Publication {
        key: Arc::new(key),
        offset,
        records,
        notifications,
        size_bytes: 1,
        received: Instant::now(),
        permit: Box::new(()),
    }
}

/// Notifications move no position and do not count as fragments, alone or among fragments.
#[test]
fn what_is_no_fragment_moves_no_offset() {
    let log = FakeLog::default();
    let mut producer = log.open_producer(ShardId(0), IdScheme::default()).unwrap();
    producer.init().unwrap();
    let topic = Arc::from("offsets");
    let alone = Transaction::begin(&mut producer, TransactionLimits::default(), publication(None)).unwrap();
    assert!(alone.offsets.is_empty());
    assert!(!alone.commit(&topic, ShardId(0), &[]).unwrap()[0].is_fragment);
    let mut among = Transaction::begin(&mut producer, TransactionLimits::default(), publication(Some(7))).unwrap();
    among.add(publication(None)).unwrap();
    let offset = among.offsets.values().next().unwrap().clone();
    assert_eq!((among.offsets.len(), offset.fragment_number.as_str()), (1, "7"));
    let committed = among.commit(&topic, ShardId(0), &[]).unwrap();
    assert_eq!(committed.iter().map(|one| one.is_fragment).collect::<Vec<_>>(), [true, false]);
    assert_eq!(log.published(), ["told", "7", "told"]);
}
