use std::time::Duration;

use super::*;
use crate::cluster::Status;
use crate::cluster::status::{Reporter, worker_record};

fn apply(view: &mut StatusView, (key, value): (Vec<u8>, Option<Vec<u8>>), now: Instant) {
    view.apply(&key, value.as_deref(), true, now);
}

#[test]
fn connectors_that_have_failed_on_live_workers_are_listed_with_the_first_line_of_their_traces() {
    let (mut view, now) = (StatusView::default(), Instant::now());
    let reporter = Reporter::new("w:1");
    apply(&mut view, worker_record(&reporter, None, Some(Duration::from_secs(10))), now);
    let mut report = |key: StatusKey, state, trace: &str, reporter: &Reporter| {
        let status = Status { state, trace: Some(trace.to_owned()), reporter: reporter.clone(), lease_epoch: 1 };
        apply(&mut view, key.record(Some(&status)), now);
    };
    let connector = |name: &str| StatusKey::Connector(name.to_owned());
    report(connector("broken"), ReportedState::Failed, "kvs.region: none\nand more", &reporter);
    report(connector("well"), ReportedState::Running, "", &reporter);
    report(connector("deleted"), ReportedState::Failed, "gone", &reporter);
    report(connector("dead"), ReportedState::Failed, "dead", &Reporter::new("dead:1"));
    report(StatusKey::Task("well".to_owned(), 0), ReportedState::Failed, "a task", &reporter);
    let expected =
        FailedConnector { name: "broken".into(), worker_id: "w:1".into(), reason: "kvs.region: none".into() };
    assert_eq!(failed(&view, &|name| name != "deleted", now), [expected]);
}

#[test]
fn the_list_is_bounded() {
    let (mut view, now) = (StatusView::default(), Instant::now());
    let reporter = Reporter::new("w:1");
    apply(&mut view, worker_record(&reporter, None, Some(Duration::from_secs(10))), now);
    for index in 0..FAILED_MAX + 5 {
        let trace = Some("x".repeat(2 * REASON_CHARS_MAX));
        let status = Status { state: ReportedState::Failed, trace, reporter: reporter.clone(), lease_epoch: 1 };
        apply(&mut view, StatusKey::Connector(format!("c{index:03}")).record(Some(&status)), now);
    }
    let listed = failed(&view, &|_| true, now);
    assert_eq!((listed.len(), listed[0].reason.len()), (FAILED_MAX, REASON_CHARS_MAX));
    assert_eq!(listed[0].name, "c000");
}
