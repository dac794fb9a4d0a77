//! Two workers that get conflicting requests at the same moment: one outcome, the same on both.

use std::collections::BTreeMap;
use std::sync::Barrier;

use kvs_harness::{Kafka, Turn, wait_for};
use serde_json::{Value, json};

use crate::rest::{bare, config};
use crate::stage::Stage;

const ROUNDS: usize = 200;

/// A request to one of the two workers: method, path, body.
type Asked = (&'static str, String, Option<Value>);

#[test]
fn conflicting_changes_at_the_same_moment_have_one_outcome() {
    let _turn = Turn::heavy();
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("conflicts", 2));
    let workers = [bare(&stage, kafka), bare(&stage, kafka)];
    let settings = |mark: &str| {
        let mut settings = config(&stage, &["a"]);
        settings["kvs.start.timestamp"] = mark.into();
        settings["kvs.start.position"] = "SERVER_TIMESTAMP".into();
        settings
    };
    let create = |name: &str, mark: &str| {
        let body = json!({ "name": name, "config": settings(mark), "initial_state": "STOPPED" });
        ("POST", "/connectors".to_owned(), Some(body))
    };
    let put = |name: &str, mark: &str| ("PUT", format!("/connectors/{name}/config"), Some(settings(mark)));
    let patch = |name: &str, key: &str, value: &str| {
        ("PATCH", format!("/connectors/{name}/config"), Some(json!({ key: value })))
    };
    let delete = |name: &str| ("DELETE", format!("/connectors/{name}"), None);
    let mut codes: BTreeMap<(&str, u16, u16), usize> = BTreeMap::new();
    for round in 0..ROUNDS {
        let name = format!("c{:03}", round / 5);
        let (what, one, other): (&str, Asked, Asked) = match round % 5 {
            0 => ("create and create", create(&name, "1"), create(&name, "2")),
            1 => ("put and put", put(&name, "3"), put(&name, "4")),
            2 => (
                "patch and patch",
                patch(&name, "record.timestamp", "server"),
                patch(&name, "kvs.position.lost", "now"),
            ),
            3 => (
                "pause and stop",
                ("PUT", format!("/connectors/{name}/pause"), None),
                ("PUT", format!("/connectors/{name}/stop"), None),
            ),
            _ => ("put and delete", put(&name, "5"), delete(&name)),
        };
        let barrier = Barrier::new(2);
        let answers: Vec<(u16, Value)> = std::thread::scope(|scope| {
            let threads: Vec<_> = workers
                .iter()
                .zip([&one, &other])
                .map(|(worker, (method, path, body))| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        worker.rest(method, path, body.as_ref())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (first, second) = (answers[0].0, answers[1].0);
        *codes.entry((what, first, second)).or_default() += 1;
        // Both workers eventually report the same.
        let info = |index: usize| workers[index].rest("GET", &format!("/connectors/{name}"), None);
        wait_for("both workers to report the same", || info(0) == info(1));
        let (code, info) = info(0);
        let mark = info["config"]["kvs.start.timestamp"].as_str().unwrap_or_default();
        match round % 5 {
            0 => {
                assert!(matches!((first, second), (201, 409) | (409, 201)), "{first} {second}");
                assert_eq!(mark, if first == 201 { "1" } else { "2" });
            }
            1 => {
                assert_eq!((first, second), (200, 200));
                assert!(matches!(mark, "3" | "4"), "{info}");
            }
            2 => {
                assert_eq!((first, second), (200, 200));
                let config = &info["config"];
                assert_eq!(
                    (&config["record.timestamp"], &config["kvs.position.lost"]),
                    (&json!("server"), &json!("now")),
                    "one is lost"
                );
            }
            3 => assert_eq!((first, second), (202, 204)),
            _ => {
                // If the update came first, the connector is deleted; otherwise it is created again.
                assert_eq!(second, 204);
                assert!(matches!((first, code), (200, 404) | (201, 200)), "{first} {code}: {info}");
                if code == 200 {
                    assert_eq!(mark, "5");
                    assert_eq!(workers[0].rest("DELETE", &format!("/connectors/{name}"), None).0, 204);
                }
            }
        }
    }
    for ((what, first, second), count) in &codes {
        println!("{what}: {first} and {second}, {count} times");
    }
    assert_eq!(codes.values().sum::<usize>(), ROUNDS);
    wait_for("nothing to be left", || {
        workers.iter().all(|worker| worker.rest("GET", "/connectors", None).1 == json!([]))
    });
}
