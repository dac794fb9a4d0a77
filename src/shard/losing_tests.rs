#![allow(clippy::unwrap_used)]

use tokio::sync::mpsc;

use super::*;
use crate::model::{LogError, OffsetKey, OnRefused, Publication, Record, RecordOutput};
use crate::shard::StartContext;
use crate::shard::gate::ConfigOffset;

/// Sources that are told nothing.
struct Nobody;

impl Sources for Nobody {
    fn wait_for_config(&mut self, _: &ConfigOffset, _: &dyn Fn() -> bool) {}
    fn start(&mut self, _: StartContext, _: mpsc::Sender<Publication>) {}
    fn stop(&mut self) {}
    fn record_too_large(&mut self, _: &OffsetKey, _: &Arc<str>, _: usize, _: String) {}
    fn fail_topics(&mut self, _: &BTreeSet<Arc<str>>, _: String) {}
    fn blocked(&mut self, _: String, _: i64) {}
}

fn committed(topic: &str, partition: i32) -> Committed {
    let key = Arc::new(OffsetKey::of_stream("c", "door"));
    let record = Record {
        output: Some(RecordOutput { id: OutputId::FRAGMENTS, on_refused: OnRefused::FailStream }),
        topic: topic.into(),
        partition,
        key: Vec::new(),
        value: None,
        headers: Vec::new(),
        timestamp_ms: None,
        sequence: None,
    };
    Committed::of(&mut Publication { records: vec![record], ..Publication::of_notifications(key, Vec::new()) })
}

/// The coordinator hands the id to nobody before it has completed the last transaction, and that may be one that has been committed: its
/// markers are still to be written when the next one is refused.
#[test]
fn partitions_of_the_last_committed_transaction_may_be_what_an_acquisition_waits_for() {
    let mut losing = Losing::default();
    losing.committed(&[committed("data", 1)]);
    losing.committed(&[committed("data", 2), committed("data", 3)]);
    let error = LogError { kind: LogErrorKind::Other, doing: "sending", text: "timed out".to_owned() };
    let mut failed = *Failed::of_log(error);
    failed.partitions.insert(("data".into(), 4));
    losing.lose((ShardId(0), "offsets"), failed, &mut Nobody, &mut RefusedTopics::default());
    let waited_for: Vec<i32> = losing.partitions.iter().map(|(_, partition)| *partition).collect();
    assert_eq!(waited_for, [2, 3, 4]);
    losing.acquired();
    assert!(losing.partitions.is_empty() && losing.committed.is_empty());
}
