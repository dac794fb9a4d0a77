use super::*;

const AROUND: Around =
    Around { transaction_timeout_ms: 15_000, session_timeout_ms: 10_000, memory_budget_size_bytes: 256 << 20 };

fn refused(name: &str, value: &str) -> String {
    check(name, value, AROUND).expect_err(name).to_string()
}

#[test]
fn settings_that_exactly_once_depends_on_cannot_be_changed() {
    for (name, value) in [
        ("acks", "1"),
        ("request.required.acks", "0"),
        ("enable.idempotence", "false"),
        ("transactional.id", "mine"),
        ("transaction.timeout.ms", "900000"),
        ("message.timeout.ms", "300000"),
        ("delivery.timeout.ms", "0"),
        ("max.in.flight", "6"),
        ("retries", "0"),
        ("isolation.level", "read_uncommitted"),
        ("enable.auto.commit", "true"),
        ("auto.offset.reset", "latest"),
        ("group.id", "other"),
        ("bootstrap.servers", "other:9092"),
        ("metadata.broker.list", "other:9092"),
        ("partition.assignment.strategy", "range"),
        ("enable.partition.eof", "true"),
        ("delivery.report.only.error", "true"),
        ("topic.metadata.propagation.max.ms", "30000"),
        ("queue.buffering.max.kbytes", "1024"),
        ("queue.buffering.max.messages", "1"),
        ("linger.ms", "5000"),
        ("reconnect.backoff.max.ms", "3600000"),
        ("heartbeat.interval.ms", "5000"),
        ("heartbeat.interval.ms", "1"),
        ("offset.store.method", "file"),
        ("allow.auto.create.topics", "true"),
        ("log_level", "0"),
    ] {
        let said = refused(name, value);
        assert!(said.len() > 40, "{name}: {said}");
    }
    for (name, value) in [
        ("acks", "all"),
        ("request.required.acks", "-1"),
        ("enable.idempotence", "true"),
        ("enable.idempotence", "TRUE"),
        ("isolation.level", "read_committed"),
        ("max.in.flight.requests.per.connection", "1"),
        ("topic.metadata.propagation.max.ms", "10000"),
        ("queue.buffering.max.kbytes", "1048576"),
        ("queue.buffering.max.messages", "0"),
        ("linger.ms", "5"),
        ("heartbeat.interval.ms", "3333"),
        ("compression.type", "zstd"),
        ("ssl.ca.location", "/x"),
        ("client.id", "x"),
    ] {
        assert_eq!(check(name, value, AROUND), Ok(()), "{name}={value}");
    }
}

#[test]
fn amazons_iam_names_what_works_with_msk_instead() {
    for (name, value) in [("sasl.mechanism", "AWS_MSK_IAM"), ("sasl.mechanisms", "aws_msk_iam")] {
        let said = refused(name, value);
        assert!(said.contains("AWS_MSK_IAM is not supported"), "{said}");
        assert!(said.contains("SCRAM-SHA-512") && said.contains("certificates"), "{said}");
    }
    for mechanism in ["SCRAM-SHA-512", "PLAIN", "OAUTHBEARER"] {
        assert_eq!(check("sasl.mechanism", mechanism, AROUND), Ok(()), "{mechanism}");
    }
}

#[test]
fn settings_of_the_java_clients_are_refused_with_their_replacement() {
    for (name, said) in [
        ("sasl.jaas.config", "sasl.username and sasl.password"),
        ("max.request.size", "kvs.fragment.max.size.bytes"),
        ("max.poll.records", "one by one"),
        ("ssl.truststore.location", "ssl.ca.location"),
        ("ssl.keystore.key", "ssl.key.pem"),
        ("buffer.memory", "queue.buffering.max.kbytes"),
        ("fetch.max.wait.ms", "fetch.wait.max.ms"),
        ("key.serializer", "remove this setting"),
    ] {
        assert!(refused(name, "x").contains(said), "{}", refused(name, "x"));
    }
}

/// The tables are compared with librdkafka itself.
#[test]
fn the_tables_match_librdkafka() {
    let has = |name: &str| match rdkafka::ClientConfig::new().set(name, "").create_native_config() {
        // librdkafka knows some only to reject them as Java's.
        Err(rdkafka::error::KafkaError::ClientConfig(_, said, ..)) => {
            !said.contains("No such") && !said.starts_with("Java ")
        }
        _ => true,
    };
    assert!(has("linger.ms") && !has("linger"));
    for (name, _) in JAVA {
        assert!(!has(name), "librdkafka has {name}");
    }
    for (name, ..) in RULES.iter().filter(|(name, ..)| !name.ends_with('*')) {
        assert!(has(name), "librdkafka has no {name}");
    }
    for (other, name) in SAME {
        assert!(has(other) && has(name), "librdkafka has no {other} or {name}");
    }
}

/// Every client setting of Kafka 4.1's producers, consumers and admin clients is known to librdkafka, or to a table.
#[test]
fn every_setting_of_the_java_clients_is_one_of_librdkafka_or_explained() {
    const CLIENTS: &str = include_str!("librdkafka_keys/java-clients-4.1.txt");
    let names: Vec<&str> = CLIENTS.split_whitespace().collect();
    assert!(names.len() > 130);
    for name in names {
        let known = rdkafka::ClientConfig::new().set(name, "").create_native_config();
        let unknown =
            matches!(known, Err(rdkafka::error::KafkaError::ClientConfig(_, said, ..)) if said.contains("No such"));
        assert!(!unknown || check(name, "x", AROUND).is_err(), "{name} is unknown and not explained");
    }
}
