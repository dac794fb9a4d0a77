use super::*;

fn settings() -> KafkaSettings {
    let own = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    KafkaSettings {
        bootstrap_servers: "k:9092".to_owned(),
        common: own("security.protocol", "plaintext"),
        producer: own("transactional.id", "mine"),
        consumer: own("isolation.level", "read_uncommitted"),
        admin: BTreeMap::new(),
        group_id: "group".to_owned(),
        offsets_topic: "offsets".to_owned(),
        session_timeout_ms: 10_000,
        group_instance_id: None,
        group_protocol: GroupProtocol::Classic,
        transaction_timeout_ms: 15_000,
        message_max_bytes: 1 << 20,
        claim: None,
    }
}

#[test]
fn rule_3_a_shards_transactional_id_is_the_shards_alone_and_no_setting_changes_it() {
    let mut settings = settings();
    settings.producer.insert("enable.idempotence".to_owned(), "false".to_owned());
    let with =
        |shard, scheme| settings.producer_config(ShardId(shard), scheme).get("transactional.id").map(str::to_owned);
    let id = |shard| with(shard, IdScheme::Colons);
    assert_eq!(id(3).as_deref(), Some("group:offsets:3"));
    assert_eq!(with(3, IdScheme::Dashes).as_deref(), Some("group-offsets-3"));
    assert_ne!(id(3), id(4));
    assert_eq!(settings.producer_config(ShardId(3), IdScheme::Colons).get("enable.idempotence"), Some("true"));
}

#[test]
fn no_setting_changes_what_a_recovery_reads() {
    assert_eq!(settings().reader_config("read_committed").get("isolation.level"), Some("read_committed"));
    assert_eq!(settings().membership_config().get("enable.auto.commit"), Some("false"));
}

#[test]
fn settings_for_all_clients_reach_all_clients() {
    let settings = settings();
    for config in
        [settings.admin_config(), settings.membership_config(), settings.producer_config(ShardId(0), IdScheme::Colons)]
    {
        assert_eq!(config.get("security.protocol"), Some("plaintext"));
    }
}
