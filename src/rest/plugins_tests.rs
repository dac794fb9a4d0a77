#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn definition(name: &str) -> Value {
    definitions().map(|(_, info)| json!(info)).find(|info| info["name"] == name).unwrap()
}

/// Kafka Connect clients build forms from it.
#[test]
fn settings_are_described_as_kafka_connect_describes_its_own() {
    let idle = definition("kvs.idle.max.delay.ms");
    assert_eq!((idle["type"].as_str(), idle["default_value"].as_str()), (Some("INT"), Some("2000")));
    assert_eq!((idle["required"].as_bool(), idle["importance"].as_str()), (Some(false), Some("MEDIUM")));
    assert_eq!((idle["group"].as_str(), idle["width"].as_str()), (Some("Service"), Some("SHORT")));
    // A year of milliseconds does not fit into Java's int.
    assert_eq!(definition("errors.retry.timeout")["type"], "LONG");
    assert_eq!(definition("errors.retry.timeout")["default_value"], "-1");
    assert_eq!(definition("kvs.streams")["type"], "LIST");
    assert_eq!(definition("kvs.endpoint.fips")["type"], "BOOLEAN");
    // Its origin is described by a sentence, not by a value.
    assert_eq!(definition("kvs.endpoint.fips")["default_value"], Value::Null);
    assert_eq!(definition("kvs.credentials.secret.access.key")["type"], "PASSWORD");
    assert_eq!(definition("topic")["required"], true);
    assert_eq!(definition("topic")["default_value"], Value::Null);
    assert_eq!(definition("kvs.role.arn")["dependents"], json!(["kvs.role.external.id"]));
    assert!(definition("kvs.position.lost")["documentation"].as_str().unwrap().contains("fail fails the stream"));
}

#[test]
fn orders_count_from_one_within_each_group() {
    let mut seen: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (_, info) in definitions() {
        seen.entry(info.group).or_default().push(info.order);
    }
    assert!(seen.len() >= 8, "{seen:?}");
    for (group, orders) in seen {
        assert_eq!(orders, (1..=orders.len()).collect::<Vec<_>>(), "{group}");
    }
}

#[test]
fn every_setting_is_told_with_its_value_and_its_errors() {
    let text = |text: &str| text.to_owned();
    let shown = BTreeMap::from([
        (text("tasks.max"), text("x")),
        (text("kvs.stream"), text("a")),
        (text("topic.creation.default.retention.ms"), text("1")),
    ]);
    let wrong = [(text("tasks.max"), text("no")), (text("kvs.stream"), text("unknown")), (text("gone"), text("bad"))];
    let infos = json!(infos(CLASS.into(), &shown, &wrong));
    let of = |name: &str| {
        infos["configs"].as_array().unwrap().iter().find(|config| config["value"]["name"] == name).unwrap().clone()
    };
    assert_eq!((&infos["error_count"], &infos["groups"][0]), (&json!(3), &json!("Common")));
    assert_eq!(of("tasks.max")["value"]["errors"], json!(["no"]));
    assert_eq!(of("tasks.max")["value"]["value"], "x");
    assert_eq!(of("kvs.gap.check")["value"]["value"], "false");
    assert_eq!(of("errors.tolerance")["value"]["recommended_values"], json!(["none", "all"]));
    assert_eq!((&of("kvs.stream")["definition"], &of("gone")["value"]["value"]), (&Value::Null, &Value::Null));
    assert_eq!(of("topic.creation.default.retention.ms")["definition"]["group"], "Topic Creation");
}
