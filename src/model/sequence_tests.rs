use super::*;

fn key() -> OffsetKey {
    OffsetKey { connector: "ca\"meras".to_owned(), stream: "door".to_owned() }
}

#[test]
fn the_reserved_key_comes_back_and_is_no_offsets() {
    let bytes = key_bytes(&key());
    assert_eq!(bytes, br#"["kvs-connect-sequence","ca\"meras",{"stream":"door"}]"#);
    assert_eq!(key_from_bytes(&bytes), Some(key()));
    assert_eq!(OffsetKey::from_bytes(&bytes), None);
    assert_eq!(key_from_bytes(&key().to_bytes()), None);
    assert_eq!(key_from_bytes(br#"["another","c",{"stream":"s"}]"#), None);
}

#[test]
fn a_sequence_never_goes_back() {
    let mut sequences = Sequences::default();
    assert_eq!((sequences.next(&key()), sequences.next(&key())), (0, 1));
    sequences.found(&key(), 7);
    sequences.found(&key(), 3);
    assert_eq!(sequences.next(&key()), 8);
}

#[test]
fn what_is_no_sequence_is_refused() {
    assert_eq!(value_from_bytes(&value_bytes(41)).unwrap(), 41);
    // An offset in an unknown form is read, too.
    assert_eq!(value_from_bytes(br#"{"version":9,"sequence":5,"more":{}}"#).unwrap(), 5);
    for bad in ["", "{}", r#"{"sequence":-1}"#, r#"{"sequence":9223372036854775807}"#, r#"{"sequence":"5"}"#] {
        assert!(value_from_bytes(bad.as_bytes()).is_err(), "{bad}");
    }
}
