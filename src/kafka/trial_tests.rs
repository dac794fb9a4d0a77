use std::collections::BTreeMap;

use super::*;
use crate::kafka::settings::GroupProtocol;

fn settings(prefix: &str, key: &str, value: &str) -> KafkaSettings {
    let own = |wanted: &str| {
        if prefix == wanted { BTreeMap::from([(key.to_owned(), value.to_owned())]) } else { BTreeMap::new() }
    };
    KafkaSettings {
        bootstrap_servers: "k:9092".to_owned(),
        common: own(""),
        producer: own("producer."),
        consumer: own("consumer."),
        admin: own("admin."),
        group_id: "group".to_owned(),
        offsets_topic: "offsets".to_owned(),
        session_timeout_ms: 10_000,
        group_instance_id: Some("one".to_owned()),
        group_protocol: GroupProtocol::Classic,
        transaction_timeout_ms: 15_000,
        message_max_bytes: 300 << 20,
        claim: None,
    }
}

#[test]
fn every_kind_of_client_is_made_and_says_which_setting_it_does_not_take() {
    assert_eq!(refused(&settings("", "client.id", "mine")), []);
    let consumer = KafkaSettings { group_protocol: GroupProtocol::Consumer, ..settings("", "client.id", "mine") };
    assert_eq!(refused(&consumer), []);
    let long = KafkaSettings { session_timeout_ms: 600_000, ..settings("", "client.id", "mine") };
    assert_eq!(refused(&long), []);
    for (prefix, key, value, said) in [
        ("producer.", "compression.type", "brotli", "Invalid value"),
        ("producer.", "batch.size", "0", "batch.size"),
        ("consumer.", "fetch.min.bytes", "x", "fetch.min.bytes"),
        ("admin.", "socket.keepalive.enable", "maybe", "socket.keepalive.enable"),
        ("producer.", "no.such.key", "x", "No such configuration property"),
        ("consumer.", "fetch.max.bytes", "1", "fetch.max.bytes"),
    ] {
        let refused = refused(&settings(prefix, key, value));
        assert!(refused.iter().all(|refused| refused.prefix == prefix), "{refused:?}");
        assert!(refused.iter().any(|refused| refused.reason.contains(said)), "{key}: {refused:?}");
    }
    // A setting of all clients that only the client that needs it refuses.
    let refused = refused(&settings("", "ssl.keystore.location", "/no/such/file"));
    assert!(!refused.is_empty());
}

#[test]
fn no_value_is_shown() {
    for refused in refused(&settings("producer.", "compression.type", "hunter2")) {
        assert!(!refused.reason.contains("hunter2"), "{refused:?}");
    }
}

#[test]
fn the_status_producer_is_what_it_has_to_be_whatever_is_set() {
    let config = settings("producer.", "acks", "all").status_producer_config();
    assert_eq!(config.get("enable.idempotence"), Some("false"));
    // Both producers detect a missing topic before their records time out.
    for config in [config, settings("", "client.id", "x").producer_config(ShardId(0), IdScheme::default())] {
        let value = |key: &str| config.get(key).unwrap().parse::<u64>().unwrap();
        assert!(value("topic.metadata.propagation.max.ms") < value("message.timeout.ms"));
        assert_eq!(config.get("allow.auto.create.topics"), Some("false"));
    }
}
