use super::*;

#[test]
fn keys_are_as_connect_writes_them() {
    let key = OffsetKey { connector: "cameras".to_owned(), stream: "front-door".to_owned() };
    assert_eq!(key.to_bytes(), br#"["cameras",{"stream":"front-door"}]"#);
}

#[test]
fn any_name_comes_back_as_it_was() {
    for name in ["a b", "q\"uote", "../x", "Türkamera", "back\\slash", "new\nline", &"n".repeat(256)] {
        let key = OffsetKey { connector: name.to_owned(), stream: "s".to_owned() };
        assert_eq!(OffsetKey::from_bytes(&key.to_bytes()), Some(key));
    }
}

#[test]
fn values_are_read_tolerantly_and_refused_clearly() {
    let offset = StoredOffset {
        continuation_token: Some("t".to_owned()),
        fragment_number: "91343852333181432392682062607743920146159169392".parse().unwrap(),
        server_timestamp: Some(Timestamp::from_millis(5)),
        producer_timestamp: None,
        sequence: None,
        data_partitions: vec![DataPartition { topic: "fragments".to_owned(), partition: 3 }],
    };
    let bytes = offset.to_bytes();
    assert_eq!(StoredOffset::from_bytes(&bytes), Ok(offset));
    let read = StoredOffset::from_bytes(&bytes).unwrap();
    assert_eq!((read.partition_in("fragments"), read.partition_in("others")), (Some(3), None));
    // As it was written before the partition was kept.
    let earlier = StoredOffset::from_bytes(br#"{"continuationToken":null,"fragmentNumber":"7"}"#).unwrap();
    assert!(earlier.data_partitions.is_empty());
    let later = br#"{"continuationToken":"t","fragmentNumber":"7","addedLater":{"a":1}}"#;
    assert_eq!(StoredOffset::from_bytes(later).unwrap().fragment_number.as_str(), "7");
    assert!(StoredOffset::from_bytes(br#"{"continuationToken":"t"}"#).unwrap_err().contains("fragmentNumber"));
    assert!(StoredOffset::from_bytes(br#"{"continuationToken":"t","fragmentNumber":"x"}"#).is_err());
    assert!(StoredOffset::from_bytes(b"nonsense").is_err());
}
