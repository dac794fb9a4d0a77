//! A stream that is configured by name and then by ARN, or the reverse, continues at its position, through kills.

use std::sync::Arc;

use kvs_client::{CallLimits, Client, ClientConfig, CredentialsSource};
use kvs_connect::model::{OffsetKey, ShardCount};
use kvs_harness::{Kafka, wait_for};
use kvs_simulator::Pace;
use serde_json::json;

use crate::rest::{bare, config};
use crate::stage::{Stage, produce, program};

fn arn(stage: &Stage, stream: &str) -> String {
    let mut config = ClientConfig::new("us-east-1");
    config.endpoint = Some(stage.simulator.url().to_owned());
    config.credentials = CredentialsSource::Static {
        access_key_id: "test".to_owned(),
        secret_access_key: "test".to_owned(),
        session_token: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::new(config, Arc::new(CallLimits::default())).await.unwrap();
        client.describe_stream(&stream.parse().unwrap()).await.unwrap().arn
    })
}

#[test]
fn a_stream_configured_by_name_and_then_by_arn_continues_at_its_position() {
    let (kafka, stage) = (Kafka::shared(), Stage::with_shards("renamed", 5));
    stage.add_live("door", &stage.recording(10, 2, 300), 30.0);
    let arn = arn(&stage, "door");
    let mut worker = bare(&stage, kafka);
    for (times, given) in [arn.as_str(), "door", &arn, "door", &arn].into_iter().enumerate() {
        let (code, answer) = worker.rest("PUT", "/connectors/cameras/config", Some(&config(&stage, &[given])));
        assert!(matches!(code, 200 | 201), "{answer}");
        let before = stage.seen(kafka).get("door").map_or(0, Vec::len);
        wait_for("the stream to continue", || stage.seen(kafka).get("door").map_or(0, Vec::len) > before + 10);
        // Its tasks show the stream as configured; its position is stored under its name.
        let (_, tasks) = worker.rest("GET", "/connectors/cameras/status", None);
        assert_eq!(tasks["tasks"].as_array().map(Vec::len), Some(1), "{tasks}");
        let (_, offsets) = worker.rest("GET", "/connectors/cameras/offsets", None);
        assert_eq!(offsets["offsets"].as_array().map(Vec::len), Some(1), "{offsets}");
        assert_eq!(offsets["offsets"][0]["partition"], json!({ "stream": "door" }));
        if times % 2 == 1 {
            worker.kill();
            worker.restart(program());
            worker.wait_healthy();
        }
    }
    assert!(stage.simulator.end_playback("door"));
    stage.expect_all(kafka, &["door"]);
}

/// A position that an earlier version stored under the ARN is in another shard, and is moved before anything is
/// published.
#[test]
fn a_position_that_an_earlier_version_stored_under_the_arn_is_continued() {
    for by_arn_now in [true, false] {
        let name = if by_arn_now { "moved-by-arn" } else { "moved-by-name" };
        let (kafka, stage) = (Kafka::shared(), Stage::with_shards(name, 5));
        stage.add("door", &stage.recording(20, 2, 300), 1, Pace::Max);
        wait_for("all of the file to arrive", || stage.held("door").len() == 20);
        let held: Vec<String> = stage.held("door").into_iter().map(|(number, _)| number).collect();
        let arn = arn(&stage, "door");
        let mut worker = bare(&stage, kafka);
        let shards = ShardCount::new(5).unwrap();
        let key = OffsetKey { connector: "cameras".to_owned(), stream: arn.clone() }.to_bytes();
        let shard = shards.shard_of(&key);
        let offset = json!({ "continuationToken": null, "fragmentNumber": held[7] }).to_string();
        produce(kafka, &format!("{}-offsets", stage.group()), shard.0, &key, offset.as_bytes());
        let given = if by_arn_now { arn.as_str() } else { "door" };
        let (code, answer) = worker.rest("PUT", "/connectors/cameras/config", Some(&config(&stage, &[given])));
        assert_eq!(code, 201, "{answer}");
        // During the move, and at two moments of the start that follows.
        let mut from = 0;
        for moment in
            ["moving positions that are stored under ARNs", "connector started on this worker", "\"assigned\""]
        {
            wait_for(moment, || worker.log()[from..].contains(moment));
            worker.kill();
            from = worker.log().len();
            worker.restart(program());
        }
        worker.wait_healthy();
        let numbers = || -> Vec<String> {
            stage.seen(kafka).get("door").into_iter().flatten().map(|(number, _)| number.clone()).collect()
        };
        wait_for("the rest to be published", || numbers().len() >= 12);
        assert_eq!(numbers(), held[8..], "{name}");
        let (_, listed) = worker.rest("GET", "/connectors/cameras/offsets", None);
        assert_eq!(listed["offsets"].as_array().map(Vec::len), Some(1), "{listed}");
        assert_eq!(listed["offsets"][0]["offset"]["fragmentNumber"], json!(held[19]));
        // Reset: if the position under the ARN were kept, the stream would not start over.
        assert_eq!(worker.rest("PUT", "/connectors/cameras/stop", None).0, 204);
        wait_for("the connector to be stopped", || worker.rest("DELETE", "/connectors/cameras/offsets", None).0 == 200);
        assert_eq!(worker.rest("GET", "/connectors/cameras/offsets", None).1, json!({ "offsets": [] }));
        assert_eq!(worker.rest("PUT", "/connectors/cameras/resume", None).0, 202);
        wait_for("all to be published again", || numbers().len() >= 32);
        assert_eq!(numbers(), [&held[8..], &held[..]].concat(), "{name}");
    }
}
