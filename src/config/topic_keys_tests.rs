#![allow(clippy::unwrap_used)]

use super::super::keys;
use super::*;

#[test]
fn a_misspelt_configuration_of_a_topic_is_refused_with_the_name_that_was_meant() {
    for (given, meant) in [
        ("partitons", "topic.creation.default.partitions"),
        ("replicaton.factor", "topic.creation.default.replication.factor"),
        ("retention.m", "topic.creation.default.retention.ms"),
        ("clean.policy", "topic.creation.default.cleanup.policy"),
        ("max.messages.bytes", "topic.creation.default.max.message.bytes"),
    ] {
        let key = format!("{PREFIX}{given}");
        let said = keys::check_connector(&key, "1").unwrap_err().to_string();
        assert_eq!(said, format!("unknown setting; the nearest known one is {meant}"));
    }
}

#[test]
fn configurations_that_other_brokers_may_have_are_theirs_to_judge_and_noted() {
    for name in TOPIC_KEYS.iter().chain(&["confluent.tier.enable", "write.caching", "retention.local.target.ms"]) {
        assert_eq!(keys::check_connector(&format!("{PREFIX}{name}"), "1"), Ok(()), "{name}");
    }
    let given = ["topic", "topic.creation.default.write.caching", "topic.creation.default.retention.ms"];
    let notes = notes(given.map(str::to_owned).iter());
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("topic.creation.default.write.caching: "), "{notes:?}");
}

#[test]
fn a_misspelt_setting_below_a_prefix_of_connects_is_told_by_the_name_that_was_meant() {
    let of_connector = |key: &str| keys::check_connector(key, "5").unwrap_err().to_string();
    let of_worker = |key: &str| keys::check_worker(key, "5").unwrap_err().to_string();
    for (said, meant) in [
        (of_connector("topic.creation.defualt.partitions"), "topic.creation.default.partitions"),
        (of_connector("topic.creation.group"), "topic.creation.groups"),
        (of_worker("offset.storage.partitons"), "offset.storage.partitions"),
        (of_worker("config.storage.replicaton.factor"), "config.storage.replication.factor"),
        (of_worker("config.providers.env.param.allowlist.patern"), "config.providers.env.param.allowlist.pattern"),
        (of_worker("config.providers.file.clas"), "config.providers.file.class"),
    ] {
        assert_eq!(said, format!("unknown setting; the nearest known one is {meant}"));
    }
    // What is near nothing keeps the reason that the prefix has.
    assert!(of_worker("offset.storage.retention.ms").contains("compacted"));
    assert!(of_connector("topic.creation.big.partitions").contains("topic.creation.default.*"));
}
