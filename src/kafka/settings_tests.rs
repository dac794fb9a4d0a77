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

#[test]
fn the_producers_window_knows_the_batches_that_its_client_makes() {
    let mut settings = settings();
    let limits = |settings: &KafkaSettings| batch_limits(&settings.producer_config(ShardId(0), IdScheme::Colons));
    assert_eq!(limits(&settings), BatchLimits { size_bytes: 1_000_000, records: 10_000 });
    settings.producer.insert("batch.size".to_owned(), "4000000".to_owned());
    settings.producer.insert("batch.num.messages".to_owned(), "7".to_owned());
    // No batch is larger than the largest record.
    assert_eq!(limits(&settings), BatchLimits { size_bytes: 1 << 20, records: 7 });
    settings.message_max_bytes = 8 << 20;
    assert_eq!(limits(&settings), BatchLimits { size_bytes: 4_000_000, records: 7 });
}

#[test]
fn a_setting_of_the_producer_wins_over_our_default() {
    let mut settings = settings();
    let linger = |settings: &KafkaSettings| {
        settings.producer_config(ShardId(0), IdScheme::Colons).get("linger.ms").map(str::to_owned)
    };
    assert_eq!(linger(&settings).as_deref(), Some("1"));
    settings.producer.insert("linger.ms".to_owned(), "0".to_owned());
    assert_eq!(linger(&settings).as_deref(), Some("0"));
}
