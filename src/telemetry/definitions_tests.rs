#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kvs_client::{CallObserver, CallReport, Operation, StreamRef};

use super::*;
use crate::model::{Committed, OffsetKey, Publication, StoredOffset};
use crate::telemetry::{self, CallMetrics};

/// Records everything that can be recorded, once.
fn record_all() {
    let key = OffsetKey { connector: "c".to_owned(), stream: "s".to_owned() };
    let offset = StoredOffset {
        continuation_token: None,
        fragment_number: "1".parse().unwrap(),
        server_timestamp: None,
        producer_timestamp: None,
        sequence: None,
        data_partitions: Vec::new(),
        continuity: kvs_mkv::Continuity::default(),
        frames: None,
    };
    let mut fragment = Publication {
        offset: Some(offset),
        size_bytes: 1,
        ..Publication::of_notifications(Arc::new(key.clone()), Vec::new())
    };
    telemetry::committed(&[Committed::of(&mut fragment)]);
    telemetry::rest_connection_closed("r");
    telemetry::transaction_committed(Duration::ZERO);
    telemetry::shard_acquired(Duration::ZERO);
    telemetry::shard_lost("fenced");
    telemetry::shard_reacquired("fenced");
    telemetry::duplicate_dropped(&key);
    telemetry::session_opened(&key);
    telemetry::failed(&key, "r");
    telemetry::frames_skipped(&key, 1);
    telemetry::passed_over(&key, "parse");
    telemetry::incomplete(&key);
    telemetry::millis_behind_now(&key, 1);
    telemetry::timestamp_replaced(&key, "r");
    telemetry::stream_failed(true);
    telemetry::notifications_dropped(&key, 1);
    telemetry::position_lost(&key);
    telemetry::caught_up(&key, true);
    telemetry::at_rate_limit(&key);
    telemetry::backfill(&key, 1);
    telemetry::health(true, 1);
    telemetry::data_partitions_offline(1);
    telemetry::panicked("p");
    telemetry::process(1, false);
    telemetry::budget_used(1);
    let stream: StreamRef = "s".parse().unwrap();
    CallMetrics { connector: "c".to_owned() }.called(&CallReport {
        operation: Operation::GetMedia,
        stream: Some(&stream),
        duration: Duration::ZERO,
        attempts: 1,
        outcome: "ok",
        status: None,
        request_id: None,
    });
}

#[test]
fn what_is_recorded_is_what_the_definitions_say() {
    let (recorder, metrics) = telemetry::recorder().unwrap();
    metrics::with_local_recorder(&recorder, || {
        describe();
        record_all();
    });
    let rendered = metrics.render();
    let (mut types, mut labels, mut help) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for line in rendered.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            types.insert(name, kind);
        } else if let Some((name, text)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            help.insert(name, text);
        } else if let Some((name, rest)) = line.split_once('{') {
            let names = rest.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name);
            labels.insert(name.trim_end_matches("_bucket"), names.filter(|name| *name != "le").collect::<Vec<_>>());
        }
    }
    for Definition { name, kind, labels: expected, meaning } in METRICS {
        assert_eq!(types.remove(name), Some(kind.name()), "{name}: {rendered}");
        let found: BTreeSet<&str> = labels.remove(name).unwrap_or_default().into_iter().collect();
        assert_eq!(found, expected.iter().copied().collect(), "{name}");
        assert_eq!(help.remove(name), Some(*meaning), "{name}");
    }
    assert!(types.is_empty(), "these have no definition: {types:?}");
}

#[test]
fn the_documentation_has_every_metric_as_it_is() {
    let page = include_str!("../../docs/METRICS.md");
    let rows: BTreeSet<&str> = page.lines().filter(|line| line.starts_with("| `kvs_connect_")).collect();
    let row = |definition: &Definition| {
        let labels = definition.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let labels = if labels.is_empty() { String::new() } else { format!("{labels} ") };
        let Definition { name, kind, meaning, .. } = definition;
        format!("| `{name}` | {} | {labels}| {meaning} |", kind.name())
    };
    let expected: Vec<String> = METRICS.iter().map(row).collect();
    for row in &expected {
        assert!(rows.contains(row.as_str()), "docs/METRICS.md lacks this row:\n{row}");
    }
    assert_eq!(rows.len(), expected.len(), "docs/METRICS.md has metrics that do not exist");
    // Alerts name metrics that exist.
    let words = page.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    for word in words.filter(|word| word.starts_with("kvs_connect_")) {
        let name = word.trim_end_matches("_bucket");
        assert!(METRICS.iter().any(|metric| metric.name == name), "docs/METRICS.md names {word}, which does not exist");
    }
}
