#![allow(clippy::unwrap_used)]

use super::*;

fn back((key, value): KeyValue) -> ConfigRecord {
    read(&key, value.as_deref())
}

#[test]
fn what_is_written_is_read() {
    let settings = Settings::from([("topic".to_owned(), "t".to_owned())]);
    let name = "a-connector-1".to_owned();
    assert_eq!(back(connector(&name, Some(&settings))), ConfigRecord::Connector(name.clone(), Some(Ok(settings))));
    assert_eq!(back(connector(&name, None)), ConfigRecord::Connector(name.clone(), None));
    for state in [TargetState::Started, TargetState::Paused, TargetState::Stopped] {
        assert_eq!(back(target_state(&name, Some(state))), ConfigRecord::Target(name.clone(), Some(Ok(state))));
    }
    assert_eq!(back(task(&name, 7, Some("s"))), ConfigRecord::Task(name.clone(), 7, Some("s".to_owned())));
    let request = RestartRequest { connector: name, include_tasks: true, only_failed: false, task: Some(3) };
    assert_eq!(back(restart(&request)), ConfigRecord::Restart(request));
    assert_eq!(back(logger("a", "DEBUG")), ConfigRecord::Logger("a".to_owned(), "DEBUG".to_owned()));
    for topic in [None, Some("mine".to_owned())] {
        let shards = AlteredShards { topic, shards: vec![ShardId(3), ShardId(0)] };
        assert_eq!(back(altered(&shards)), ConfigRecord::Altered(shards));
    }
    for (topic, moving) in [(Some("mine"), None), (Some("mine"), Some("1")), (None, Some("1"))] {
        let home = OffsetsHome { topic: topic.map(str::to_owned), moving: moving.map(str::to_owned), lost: false };
        assert_eq!(back(offsets_home("c-1", &home)), ConfigRecord::OffsetsHome("c-1".to_owned(), Some(Ok(home))));
    }
    let lost = OffsetsHome { topic: Some("mine".to_owned()), moving: None, lost: true };
    assert_eq!(back(offsets_home("c", &lost)), ConfigRecord::OffsetsHome("c".to_owned(), Some(Ok(lost))));
    // The worker's topic needs no record.
    let none = offsets_home("c", &OffsetsHome::default());
    assert_eq!(none.1, None);
    assert_eq!(back(none), ConfigRecord::OffsetsHome("c".to_owned(), None));
    let later = read(b"kvs-connect-offsets-topic-c", Some(br#"{"version":2,"topic":"mine"}"#));
    assert!(matches!(later, ConfigRecord::OffsetsHome(_, Some(Err(RecordError::LaterVersion { .. })))), "{later:?}");
    assert_eq!(back(group("g")), ConfigRecord::Group("g".to_owned()));
    assert_eq!(back(change("1")), ConfigRecord::Change("1".to_owned()));
}

/// As a Kafka Connect 4.1 worker writes them.
#[test]
fn connects_own_records_are_read() {
    let record = read(b"target-state-f1", Some(br#"{"state":"PAUSED","state.v2":"STOPPED"}"#));
    assert_eq!(record, ConfigRecord::Target("f1".to_owned(), Some(Ok(TargetState::Stopped))));
    let record = read(b"target-state-f1", Some(br#"{"state":"PAUSED"}"#));
    assert_eq!(record, ConfigRecord::Target("f1".to_owned(), Some(Ok(TargetState::Paused))));
    let record = read(b"connector-f1", Some(br#"{"properties":{"tasks.max":"1","name":"f1","gone":null}}"#));
    let ConfigRecord::Connector(_, Some(Ok(settings))) = record else { panic!("{record:?}") };
    assert_eq!(settings.len(), 2);
}

#[test]
fn a_record_of_a_later_version_is_refused_with_a_message() {
    let record = read(b"connector-f1", Some(br#"{"version":2,"properties":{}}"#));
    let ConfigRecord::Connector(_, Some(Err(reason))) = record else { panic!("{record:?}") };
    let reason = reason.to_string();
    assert!(reason.contains("version 2") && reason.contains("newer worker"), "{reason}");
    // Additional fields are ignored.
    let record = read(b"connector-f1", Some(br#"{"version":1,"more":[],"properties":{}}"#));
    assert_eq!(record, ConfigRecord::Connector("f1".to_owned(), Some(Ok(Settings::new()))));
    let record = read(b"target-state-f1", Some(br#"{"state":"PAUSED","state.v2":"DREAMING"}"#));
    assert!(matches!(record, ConfigRecord::Target(_, Some(Err(_)))), "{record:?}");
    assert_eq!(read(b"something-else", Some(b"{}")), ConfigRecord::Unknown);
    assert_eq!(read(b"\xff", None), ConfigRecord::Unknown);
}
