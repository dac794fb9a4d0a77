use super::*;

#[test]
fn values_are_read_tolerantly_and_refused_clearly() {
    let offset = StoredOffset {
        continuation_token: Some("t".to_owned()),
        fragment_number: "91343852333181432392682062607743920146159169392".parse().unwrap(),
        server_timestamp: Some(Timestamp::from_millis(5)),
        producer_timestamp: None,
        sequence: None,
        data_partitions: vec![DataPartition { topic: "fragments".to_owned(), partition: 3 }],
        continuity: kvs_mkv::Continuity::default(),
        frames: None,
    };
    let bytes = offset.to_bytes();
    assert_eq!(StoredOffset::from_bytes(&bytes).unwrap(), offset);
    let read = StoredOffset::from_bytes(&bytes).unwrap();
    assert_eq!((read.partition_in("fragments"), read.partition_in("others")), (Some(3), None));
    // The form written before partitions were stored.
    let earlier = StoredOffset::from_bytes(br#"{"continuationToken":null,"fragmentNumber":"7"}"#).unwrap();
    assert!(earlier.data_partitions.is_empty());
    let later = br#"{"continuationToken":"t","fragmentNumber":"7","addedLater":{"a":1}}"#;
    assert_eq!(StoredOffset::from_bytes(later).unwrap().fragment_number.as_str(), "7");
    assert!(
        StoredOffset::from_bytes(br#"{"continuationToken":"t"}"#).unwrap_err().to_string().contains("fragmentNumber")
    );
    assert!(StoredOffset::from_bytes(br#"{"continuationToken":"t","fragmentNumber":"x"}"#).is_err());
    assert!(StoredOffset::from_bytes(b"nonsense").is_err());
}

/// Earlier versions read the fragments' partition, and ignore those of further outputs.
#[test]
fn partitions_of_further_outputs_stand_behind_that_of_the_fragments() {
    let at = |topic: &str, partition| DataPartition { topic: topic.to_owned(), partition };
    let offset = StoredOffset {
        continuation_token: None,
        fragment_number: "7".parse().unwrap(),
        server_timestamp: None,
        producer_timestamp: None,
        sequence: None,
        data_partitions: vec![at("fragments", 3), at("metadata", 1)],
        continuity: kvs_mkv::Continuity::default(),
        frames: None,
    };
    let bytes = offset.to_bytes();
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(json["dataPartition"], serde_json::json!({ "topic": "fragments", "partition": 3 }));
    assert_eq!(json["dataPartitions"], serde_json::json!([{ "topic": "metadata", "partition": 1 }]));
    let read = StoredOffset::from_bytes(&bytes).unwrap();
    assert_eq!((read.partition_in("metadata"), &read), (Some(1), &offset));
}

#[test]
fn what_the_next_fragment_is_compared_with_is_stored_and_may_be_missing() {
    let continuity = Continuity { session: Some(u64::MAX - 1), start_ns: Some(-5), interrupted: true, in_gap: true };
    let earlier = br#"{"continuationToken":null,"fragmentNumber":"7","producerTimestamp":3}"#;
    let offset = StoredOffset { continuity, ..StoredOffset::from_bytes(earlier).unwrap() };
    assert_eq!(StoredOffset::from_bytes(&offset.to_bytes()).unwrap(), offset);
    let json: serde_json::Value = serde_json::from_slice(&offset.to_bytes()).unwrap();
    // All 64 bits, and no new version: earlier versions pass over it.
    let written =
        serde_json::json!({ "session": "fffffffffffffffe", "startNs": -5, "interrupted": true, "inGap": true });
    assert_eq!((&json["continuity"], json.get("version")), (&written, None));
    // An offset of an earlier version is written as it was read.
    let unknown = StoredOffset::from_bytes(earlier).unwrap();
    assert_eq!(unknown.continuity, Continuity::default());
    assert!(!String::from_utf8(unknown.to_bytes()).unwrap().contains("continuity"));
    // A session in another form contradicts nothing, and the offset is read.
    let later = br#"{"continuationToken":null,"fragmentNumber":"7","continuity":{"session":"sha256:00","more":1}}"#;
    assert_eq!(StoredOffset::from_bytes(later).unwrap().continuity, Continuity::default());
}
