//! Workers that disagree, and topics that are deleted or recreated while workers run (rule 14).

use std::time::Duration;

use kvs_harness::{Connector, ConnectorFile, Kafka, WorkerFile, wait_for};
use kvs_simulator::Pace;

use crate::stage::{Stage, configure, program};

/// What a worker logs, at a higher log level, after each check of its storage topics.
pub const LOOKED: &str = "the storage topics have been looked at";

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// Starts a worker that is refused, with these texts in its log. Returns the log.
fn refused(worker: &WorkerFile, expected: &[&str]) -> String {
    let mut worker = Connector::start(program(), worker, &[]);
    let code = worker.wait_exit();
    let log = worker.log();
    assert_eq!(code, 78, "{log}");
    for text in expected {
        assert!(log.contains(text), "{text:?} is not in the log: {log}");
    }
    log
}

#[test]
fn a_worker_that_disagrees_is_refused_and_disturbs_nobody() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("disagree"));
    stage.add("s", &stage.recording(20, 2, 500), 1, Pace::FragmentsPerSecond(2.0));
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&["s"]));
    worker.wait_healthy();
    wait_for("fragments", || worker.metric("kvs_connect_fragments_total") > 1.0);
    let moves =
        |worker: &Connector| (worker.log().matches("assigned").count(), worker.log().matches("revoked").count());
    worker.wait_logged("\"assigned\"");
    let before = moves(&worker);
    let (group, wrong) = (stage.group(), format!("{}-wrong", stage.name));
    let with = |settings: &[(&str, &str)]| {
        settings.iter().fold(stage.worker(kafka), |worker, (key, value)| worker.set(key, &quoted(value)))
    };
    // They have only the name of the group in common.
    let others = [
        ("offset.storage.topic", wrong.as_str()),
        ("config.storage.topic", "disagree-c"),
        ("status.storage.topic", "disagree-s"),
    ];
    let only_the_group = with(&others);
    let both = |key: &str, ours: &str| [format!("{key}={group}-"), format!("{key}={ours}")];
    let [theirs, ours] = both("offset.storage.topic", &wrong);
    refused(&only_the_group, &[&theirs, &ours, "published twice"]);
    assert!(!kvs_harness::topic::exists(kafka.bootstrap(), &wrong), "the refused worker has created its topic");
    for (key, consequence) in
        [("config.storage.topic", "some streams would not run"), ("status.storage.topic", "states would be wrong")]
    {
        let [theirs, ours] = both(key, &wrong);
        refused(&with(&[(key, &wrong)]), &[&theirs, &ours, consequence]);
    }
    // Another group with one of its topics.
    for key in ["config.storage.topic", "status.storage.topic", "offset.storage.topic"] {
        let mut own = vec![("group.id", wrong.as_str())];
        let names = [
            ("config.storage.topic", format!("{wrong}-{key}-c")),
            ("status.storage.topic", format!("{wrong}-{key}-s")),
            ("offset.storage.topic", format!("{wrong}-{key}-o")),
        ];
        own.extend(names.iter().filter(|(other, _)| *other != key).map(|(other, name)| (*other, name.as_str())));
        refused(&with(&own), &["it belongs to the group", &group, &wrong, key]);
    }
    assert_eq!(moves(&worker), before, "{}", worker.log());
    wait_for("the whole file", || stage.held("s").len() == 20);
    stage.expect_all(kafka, &["s"]);
    assert_eq!(worker.metric("kvs_connect_shards_lost_total"), 0.0);
    assert_eq!(worker.terminate().0, 0);
    // The same holds while no worker runs.
    refused(&only_the_group, &[&theirs, &ours, "--delete-offsets"]);
    worker.restart(program());
    worker.wait_healthy();
    assert_eq!(worker.terminate().0, 0);
}

#[test]
fn of_two_disagreeing_workers_that_start_together_one_wins() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("at-once"));
    let exits = |mut workers: [Connector; 2]| {
        let mut codes = [None, None];
        wait_for("one to be refused and one to run", || {
            for (code, worker) in codes.iter_mut().zip(&mut workers) {
                *code = code.or_else(|| worker.exit_code());
            }
            let healthy = |worker: &Connector| worker.get("/health").is_some_and(|(status, _)| status == 200);
            let running = workers.iter().zip(&codes).filter(|(worker, code)| code.is_none() && healthy(worker)).count();
            assert!(codes != [Some(78), Some(78)], "{} {}", workers[0].log(), workers[1].log());
            (running, codes.iter().flatten().count()) == (1, 1)
        });
        assert!(codes.contains(&Some(78)), "{codes:?}");
    };
    // One group without anything else in common.
    let one = stage.worker(kafka);
    let name = |kind: &str| quoted(&format!("{}-{kind}-2", stage.name));
    let two = ["offset.storage.topic", "config.storage.topic", "status.storage.topic"]
        .iter()
        .fold(one.clone(), |worker, key| worker.set(key, &name(key)));
    exits([&one, &two].map(|worker| Connector::start(program(), worker, &[])));
    // Two groups with a new status topic in common, which is written without a fence.
    let status = quoted(&format!("{}-common", stage.name));
    let of_group = |group: &str| {
        WorkerFile::new(kafka.bootstrap(), &format!("{}-{group}", stage.name)).set("status.storage.topic", &status)
    };
    exits([of_group("a"), of_group("b")].map(|worker| Connector::start(program(), &worker, &[])));
    // Two groups with a config topic in common, where each group has a fence of its own.
    let configs = quoted(&format!("{}-configs", stage.name));
    let of_group = |group: &str| {
        WorkerFile::new(kafka.bootstrap(), &format!("{}-{group}", stage.name)).set("config.storage.topic", &configs)
    };
    exits([of_group("c"), of_group("d")].map(|worker| Connector::start(program(), &worker, &[])));
}

/// Workers of an earlier version have left no claim, and others cannot commit for their group.
#[test]
fn a_running_group_gets_its_claim_from_its_members() {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("upgraded", 4));
    let (group, offsets) = (stage.group(), format!("{}-offsets", stage.group()));
    kafka.create_topic(&offsets, 4, &[("cleanup.policy", "compact")]);
    let consumer = |protocol: &str| -> BaseConsumer {
        let mut config = rdkafka::ClientConfig::new();
        config.set("bootstrap.servers", kafka.bootstrap()).set("group.id", &group).set("enable.auto.commit", "false");
        config.set("partition.assignment.strategy", protocol).create().unwrap()
    };
    let earlier = consumer("cooperative-sticky");
    earlier.subscribe(&[&offsets]).unwrap();
    wait_for("a member", || {
        earlier.poll(Duration::from_millis(50));
        earlier.assignment().is_ok_and(|assignment| assignment.count() == 4)
    });
    let mut worker = Connector::start(program(), &stage.worker(kafka), &[]);
    let outside = consumer("range");
    let claim = || {
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition(&offsets, 0);
        let committed = outside.committed_offsets(list, Duration::from_secs(10)).unwrap();
        committed.elements()[0].metadata().to_owned()
    };
    wait_for("the claim", || {
        earlier.poll(Duration::from_millis(50));
        claim().contains("\"settled\":true")
    });
    drop(earlier);
    worker.wait_healthy();
    let wrong = stage.worker(kafka).set("offset.storage.topic", &quoted(&format!("{}-wrong", stage.name)));
    refused(&wrong, &["published twice"]);
    assert_eq!(worker.terminate().0, 0);
}

#[test]
fn a_deleted_storage_topic_ends_every_worker_and_never_counts_as_empty() {
    let kafka = Kafka::shared();
    let kinds = ["offsets", "configs", "status"];
    let mut groups: Vec<(Stage, [Connector; 2])> = kinds
        .iter()
        .map(|kind| {
            let stage = Stage::with_shards(&format!("deleted-{kind}"), 4);
            stage.add("s", &stage.recording(10, 2, 500), 50, Pace::FragmentsPerSecond(2.0));
            let environment = [
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "test"),
                ("RUST_LOG", "info,kvs_connect::worker::watch=debug"),
            ];
            let start = |connectors: &[ConnectorFile]| {
                Connector::start_with(program(), &stage.worker(kafka), connectors, &environment)
            };
            let workers = [start(&[stage.connector(&["s"])]), start(&[])];
            (stage, workers)
        })
        .collect();
    for (_, workers) in &mut groups {
        workers.iter_mut().for_each(Connector::wait_healthy);
        wait_for("fragments, and that it is told where they go", || {
            !workers[0].rest("GET", "/connectors/cameras/topics", None).1["cameras"]["topics"]
                .as_array()
                .unwrap()
                .is_empty()
        });
    }
    // Later checks are compared with what was found before.
    for worker in groups.iter().flat_map(|(_, workers)| workers) {
        let looks = || worker.log().matches(LOOKED).count();
        let before = looks();
        wait_for("the worker to have looked at its topics", || looks() >= before + 2);
    }
    for ((stage, _), kind) in groups.iter().zip(kinds) {
        let topic = format!("{}-{kind}", stage.group());
        kafka.delete_topic(&topic);
        if kind == "status" {
            // Recreated by another program, and written to at once.
            kafka.create_topic(&topic, 1, &[("cleanup.policy", "compact")]);
        }
    }
    for ((stage, workers), kind) in groups.iter_mut().zip(kinds) {
        let topic = format!("{}-{kind}", stage.group());
        for worker in workers.iter_mut() {
            let code = worker.wait_exit();
            let log = worker.log();
            assert_eq!(code, 78, "{kind}: {log}");
            let last = log.lines().last().unwrap_or_default();
            let trouble = if kind == "status" { "recreated" } else { "no longer exists" };
            assert!(last.contains(&topic) && last.contains(trouble), "{kind}: {last}");
        }
    }
    // When it is started again, the worker recreates the topic, and must not mistake its emptiness for a new group.
    refused(&groups[0].0.worker(kafka), &["connector \"cameras\" has published", "recreated"]);
    refused(&groups[1].0.worker(kafka), &["had its connectors in it", "recreated"]);
    // Statuses are written again by the running workers.
    let mut again = Connector::start(program(), &groups[2].0.worker(kafka), &[]);
    again.wait_healthy();
    wait_for("the states", || {
        again.rest("GET", "/connectors/cameras/status", None).1["connector"]["state"] == "RUNNING"
    });
    assert_eq!(again.terminate().0, 0);
}

/// What is checked when a worker starts may be altered while it runs.
#[test]
fn a_storage_topic_that_is_no_longer_compacted_ends_its_workers_before_anything_is_lost() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("uncompacted", 4));
    stage.add("s", &stage.recording(5, 2, 500), 1, Pace::Max);
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&["s"]));
    worker.wait_healthy();
    stage.expect_all(kafka, &["s"]);
    let offsets = format!("{}-offsets", stage.group());
    configure(kafka, &offsets, &[("cleanup.policy", "compact,delete")]);
    let code = worker.wait_exit();
    assert_eq!(code, 78, "{}", worker.log());
    let last = worker.log().lines().last().unwrap_or_default().to_owned();
    assert!(last.contains(&offsets) && last.contains("cleanup.policy") && last.contains("altered"), "{last}");
}
