//! Settings of Kafka's clients and topics: with any values within the bounds a worker still works, and the names are Kafka's.

use kvs_connect::config::librdkafka_keys::{RULES, Rule};
use kvs_connect::config::topic_keys::TOPIC_KEYS;
use kvs_harness::{Kafka, WorkerFile, wait_for};
use kvs_simulator::Pace;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;

use crate::stage::Stage;

/// Returns the smallest and the largest value of a setting.
fn ends(rule: Rule) -> Option<(u64, u64)> {
    match rule {
        Rule::Range(least, most) => Some((least, most)),
        Rule::ZeroOrFrom(least) => Some((least, 0)),
        Rule::UpToTransactionTimeout(least) => Some((least, 10_000)),
        Rule::UpToThirdOfSession => Some((50, 1_000)),
        Rule::FromLargestRecord => Some(((256 << 10) + 1024, (1 << 31) - 1)),
        Rule::Refused | Rule::Only(_) | Rule::AnyBut(_) => None,
    }
}

fn set(mut worker: WorkerFile, end: impl Fn((u64, u64)) -> u64) -> WorkerFile {
    for (name, rule, _) in RULES {
        let Some(ends) = ends(*rule) else { continue };
        for prefix in ["producer", "consumer", "admin"] {
            worker = worker.set(&format!("{prefix}.{name}"), &end(ends).to_string());
        }
    }
    worker
}

#[test]
fn a_worker_works_with_every_setting_at_its_minimum_and_maximum() {
    let kafka = Kafka::shared();
    for (test, is_most) in [("least", false), ("most", true)] {
        let stage = Stage::new(&format!("client-settings-{test}"));
        stage.add("s", &stage.recording(40, 2, 20_000), 2, Pace::Max);
        let worker = stage.worker(kafka).set("session.timeout.ms", "6000").set("memory.budget.size.bytes", "268435456");
        let worker = set(worker, |(least, most)| if is_most { most } else { least });
        let mut worker = stage.start(&worker, &stage.connector(&["s"]));
        worker.wait_healthy();
        stage.expect_all(kafka, &["s"]);
        // Acquiring the shards again reads what was written.
        worker.restart(crate::stage::program());
        worker.wait_healthy();
        wait_for("the stream to be pulled again", || {
            worker.get("/streams").is_some_and(|(code, body)| code == 200 && body.contains("\"RUNNING\""))
        });
        let (code, _) = worker.terminate();
        assert_eq!(code, 0, "{test}: {}", worker.log());
    }
}

#[test]
fn every_configuration_of_a_topic_that_kafka_has_is_known() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("topic-keys"));
    kafka.create_topic(&stage.topic(), 1, &[]);
    let admin: AdminClient<DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut names: Vec<String> = Vec::new();
    // A broker may hear of the topic later than the one that has created it.
    wait_for("the topic's configuration", || {
        let topics = [ResourceSpecifier::Topic(&stage.topic())];
        let described = runtime.block_on(admin.describe_configs(&topics, &AdminOptions::new())).unwrap();
        names = described.into_iter().flatten().flat_map(|topic| topic.entries).map(|entry| entry.name).collect();
        !names.is_empty()
    });
    let unknown: Vec<&String> = names.iter().filter(|name| !TOPIC_KEYS.contains(&name.as_str())).collect();
    assert!(names.len() > 25 && unknown.is_empty(), "{unknown:?} of {names:?}");
}
