use super::*;

fn key() -> OffsetKey {
    OffsetKey { connector: "c".to_owned(), stream: "s".to_owned() }
}

fn offset(sequence: Option<i64>) -> StoredOffset {
    StoredOffset {
        continuation_token: None,
        fragment_number: "7".parse().unwrap(),
        server_timestamp: None,
        producer_timestamp: None,
        sequence,
        data_partitions: Vec::new(),
        continuity: kvs_mkv::Continuity::default(),
        frames: None,
    }
}

fn recovered(sequence: Option<i64>) -> Recovered {
    let mut recovered = Recovered::default();
    if let Some(sequence) = sequence {
        recovered.sequences.found(&key(), sequence);
    }
    recovered
}

fn stored(records: &[KeyValue; 2]) -> (Option<i64>, Option<Option<i64>>) {
    assert_eq!((&records[0].0, &records[1].0), (&sequence::key_bytes(&key()), &key().to_bytes()));
    let alone = records[0].1.as_deref().map(|value| sequence::value_from_bytes(value).unwrap());
    let offset = records[1].1.as_deref().map(|value| StoredOffset::from_bytes(value).unwrap().sequence);
    (alone, offset)
}

#[test]
fn an_offset_that_is_set_keeps_the_sequence_and_one_that_is_reset_leaves_it() {
    let set = |known, given| stored(&altered(&recovered(known), &key(), Some(offset(given))));
    assert_eq!(set(Some(41), None), (None, Some(Some(41))));
    // The sequence never goes back, and continues from that of another cluster.
    assert_eq!(set(Some(41), Some(3)), (None, Some(Some(41))));
    assert_eq!(set(Some(41), Some(99)), (None, Some(Some(99))));
    assert_eq!(set(None, Some(99)), (None, Some(Some(99))));
    assert_eq!(set(None, None), (None, Some(None)));
    let reset = |known| stored(&altered(&recovered(known), &key(), None));
    assert_eq!(reset(Some(41)), (Some(41), None));
    assert_eq!(reset(None), (None, None));
}
