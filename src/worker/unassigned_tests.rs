use std::sync::Arc;

use super::*;
use crate::cluster::Status;
use crate::cluster::records::{self, Settings};
use crate::cluster::status::{Reporter, worker_record};

#[test]
fn tasks_that_nobody_has_twice_running_are_told_until_somebody_has_them() {
    let now = Instant::now();
    let mut configs = Arc::new(ConfigView::default());
    let settings = Settings::default();
    for (key, value) in [
        records::connector("c", Some(&settings)),
        records::task("c", 0, Some("a")),
        records::task("c", 1, Some("b")),
        records::connector("paused", Some(&settings)),
        records::target_state("paused", Some(TargetState::Paused)),
        records::task("paused", 0, Some("a")),
    ] {
        ConfigView::apply(&mut configs, &key, value.as_deref());
    }
    let mut statuses = StatusView::default();
    let reporter = Reporter::new("w:1");
    let report = |statuses: &mut StatusView, id, state, trace: Option<&str>| {
        let key = StatusKey::Task("c".to_owned(), id);
        let status = Status { state, trace: trace.map(str::to_owned), reporter: reporter.clone(), lease_epoch: 1 };
        let (key, value) = key.record(Some(&status));
        statuses.apply(&key, value.as_deref(), true, now);
    };
    let (key, value) = worker_record(&reporter, None, Some(Duration::from_secs(600)));
    statuses.apply(&key, value.as_deref(), true, now);
    report(&mut statuses, 0, ReportedState::Running, None);
    assert_eq!(find(&configs, &statuses, now), BTreeSet::from([("c".to_owned(), 1)]));

    let mut unassigned = Unassigned::default();
    let mut told = |statuses: &StatusView, second: u64| {
        unassigned.look(&configs, statuses, now + Duration::from_secs(second));
        unassigned.said.lasts().is_some()
    };
    // A rebalance takes less time than there is between two looks.
    assert!(!told(&statuses, 0) && !told(&statuses, 5));
    assert!(told(&statuses, 20));
    // A worker that reports why the task does not run yet has the task.
    report(&mut statuses, 1, ReportedState::Unassigned, Some("its first session is being opened"));
    assert!(!told(&statuses, 40));
}
