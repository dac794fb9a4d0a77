#![allow(clippy::unwrap_used)]

use super::*;

fn full() -> Contract {
    Contract {
        offsets_topic: Some("g-offsets".to_owned()),
        config_topic: Some("g-configs".to_owned()),
        status_topic: Some("g-status".to_owned()),
        ..Contract::of_group("g", 25)
    }
}

#[test]
fn what_was_written_before_topics_were_in_it_is_no_disagreement_and_is_filled_in() {
    assert_eq!(full().check(br#"{"partitions":25,"groupId":"g"}"#), Ok(false));
    assert_eq!(full().check(&full().to_bytes()), Ok(true));
    // A version without topics in the contract reads it as before.
    let read: serde_json::Value = serde_json::from_slice(&full().to_bytes()).unwrap();
    assert_eq!((read["partitions"].as_i64(), read["groupId"].as_str()), (Some(25), Some("g")));
    // A standalone worker has no config topic, and may continue with the offsets of a distributed one.
    let standalone = Contract { config_topic: None, ..full() };
    assert_eq!(standalone.check(&full().to_bytes()), Ok(true));
    assert_eq!(full().check(&standalone.to_bytes()), Ok(false));
}

#[test]
fn each_field_that_differs_is_named_with_both_values() {
    let others = [
        (Contract { group_id: "h".to_owned(), ..full() }, ["\"g\"", "\"h\""]),
        (Contract { partitions: Some(12), ..full() }, ["12", "25"]),
        (
            Contract { offsets_topic: Some("x".to_owned()), ..full() },
            ["offset.storage.topic=x", "offset.storage.topic=g-offsets"],
        ),
        (
            Contract { config_topic: Some("x".to_owned()), ..full() },
            ["config.storage.topic=x", "config.storage.topic=g-configs"],
        ),
        (
            Contract { status_topic: Some("x".to_owned()), ..full() },
            ["status.storage.topic=x", "status.storage.topic=g-status"],
        ),
    ];
    for (other, expected) in others {
        let said = full().check(&other.to_bytes()).unwrap_err().to_string();
        assert!(expected.iter().all(|text| said.contains(text)), "{said}");
    }
    assert!(matches!(full().check(b"nonsense"), Err(ContractError::Unreadable { .. })));
}
