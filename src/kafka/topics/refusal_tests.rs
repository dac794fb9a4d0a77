#![allow(clippy::unwrap_used)]

use super::*;
use crate::kafka::PlanSettings;

fn plan(replication_factor: i32, config: &[(&str, &str)]) -> TopicPlan {
    TopicPlan {
        name: "newt".to_owned(),
        partitions: 6,
        replication_factor,
        config: config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        settings: PlanSettings {
            name: "topic",
            partitions: Some("topic.creation.default.partitions"),
            replication_factor: "topic.creation.default.replication.factor",
            config_prefix: Some("topic.creation.default."),
        },
    }
}

#[test]
fn too_many_replicas_are_told_with_the_setting_and_the_brokers_there_are() {
    let said = |wanted, brokers| {
        fault_of(&plan(wanted, &[]), RDKafkaErrorCode::InvalidReplicationFactor, brokers).unwrap().to_string()
    };
    assert_eq!(
        said(3, Some(1)),
        "topic.creation.default.replication.factor: a replication factor of 3 was requested, but the cluster has 1 broker: set it \
         to 1 at most, or to -1 for the broker's default"
    );
    assert!(said(3, Some(2)).contains("has 2 brokers: set it to 2 at most"), "{}", said(3, Some(2)));
    assert!(said(2, Some(2)).contains("2 brokers accept new replicas at the moment"), "{}", said(2, Some(2)));
    assert!(said(3, None).contains("fewer brokers"), "{}", said(3, None));
    let default = said(-1, Some(1));
    assert!(default.contains("default.replication.factor"), "{default}");
    assert!(default.ends_with("more than the cluster's 1 broker: set it to 1 at most"), "{default}");
    assert!(said(-1, None).ends_with("more than there are brokers: set it to the number of brokers at most"));
}

#[test]
fn partitions_names_and_policies_are_told_with_what_was_asked_for() {
    let plan = plan(2, &[("retention.ms", "5")]);
    let said = |code| fault_of(&plan, code, Some(3)).unwrap();
    let partitions = said(RDKafkaErrorCode::InvalidPartitions);
    assert_eq!(partitions.key, "topic.creation.default.partitions");
    assert!(partitions.reason.contains("6 partitions"), "{partitions}");
    let policy = said(RDKafkaErrorCode::PolicyViolation).to_string();
    for part in [
        "topic: ",
        "create.topic.policy.class.name",
        "topic.creation.default.partitions=6, topic.creation.default.replication.factor=2, topic.creation.default.retention.ms=5",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(
        said(RDKafkaErrorCode::InvalidTopic).to_string().contains("topic: Kafka does not accept the name \"newt\"")
    );
    assert_eq!(fault_of(&plan, RDKafkaErrorCode::NotController, Some(3)), None);
}

#[test]
fn a_configuration_that_is_refused_is_named_and_the_nearest_one_with_it() {
    let plan = plan(1, &[("retention.m", "5"), ("segment.ms", "x"), ("replicaton.factor", "3"), ("hue", "red")]);
    let known: BTreeMap<String, String> =
        ["retention.ms", "segment.ms"].iter().map(|key| ((*key).to_owned(), String::new())).collect();
    let faults = config_faults(&plan, &plan.config, Some(&known));
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "topic.creation.default.hue: topics have no configuration hue in this cluster",
            "topic.creation.default.replicaton.factor: topics have no configuration replicaton.factor in this cluster; the nearest \
         one is replication.factor",
            "topic.creation.default.retention.m: topics have no configuration retention.m in this cluster; the nearest one is \
         retention.ms",
            "topic.creation.default.segment.ms: \"x\": Kafka refuses this value for a topic's segment.ms",
        ]
    );
    // Entries that are refused only together are reported with everything that was requested.
    let together = config_faults(&plan, &BTreeMap::new(), None);
    assert_eq!(together.len(), 1);
    assert!(together[0].reason.contains("topic.creation.default.retention.m=5"), "{}", together[0]);
}
