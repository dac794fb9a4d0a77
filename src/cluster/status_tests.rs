use proptest::prelude::*;

use super::*;

fn key() -> StatusKey {
    StatusKey::Task("c-1".to_owned(), 4)
}

fn reporter(worker_id: &str) -> Reporter {
    Reporter { worker_id: worker_id.to_owned(), started_ms: 1 }
}

fn reports(view: &mut StatusView, worker_id: &str, state: ReportedState, lease_epoch: i64) {
    let status = Status { state, trace: None, reporter: reporter(worker_id), lease_epoch };
    let (key, value) = key().record(Some(&status));
    view.apply(&key, value.as_deref(), true, Instant::now());
}

fn heartbeat(view: &mut StatusView, worker_id: &str, duration: Option<Duration>) {
    let (key, value) = worker_record(&reporter(worker_id), None, duration);
    view.apply(&key, value.as_deref(), true, Instant::now());
}

fn state(view: &StatusView) -> ReportedState {
    view.get(&key(), Instant::now()).state
}

const LONG: Option<Duration> = Some(Duration::from_secs(60));

#[test]
fn what_a_dead_worker_said_is_unassigned_and_never_running() {
    let mut view = StatusView::default();
    assert_eq!(state(&view), ReportedState::Unassigned);
    reports(&mut view, "a", ReportedState::Running, 1);
    assert_eq!(state(&view), ReportedState::Unassigned, "nobody has heard of the worker");
    heartbeat(&mut view, "a", LONG);
    assert_eq!(state(&view), ReportedState::Running);
    heartbeat(&mut view, "a", Some(Duration::ZERO));
    assert_eq!(state(&view), ReportedState::Unassigned);
    heartbeat(&mut view, "a", LONG);
    heartbeat(&mut view, "a", None);
    assert_eq!(state(&view), ReportedState::Unassigned, "it has left");
}

/// A worker that reads the topic from its beginning does not believe that a worker is alive because it once was.
#[test]
fn a_heartbeat_of_the_past_is_as_old_as_it_says() {
    let mut view = StatusView::default();
    reports(&mut view, "a", ReportedState::Running, 1);
    let old = json!({ "time_ms": now_ms() - 20_000, "lives_for_ms": 15_000, "started_ms": 1 }).to_string();
    view.apply(b"kvs-connect-worker-a", Some(old.as_bytes()), false, Instant::now());
    assert_eq!(state(&view), ReportedState::Unassigned);
    let young = json!({ "time_ms": now_ms() - 2_000, "lives_for_ms": 15_000, "started_ms": 1 }).to_string();
    view.apply(b"kvs-connect-worker-a", Some(young.as_bytes()), false, Instant::now());
    assert_eq!(state(&view), ReportedState::Running);
    // Values that nobody would write must not cause a panic.
    for time_ms in [i64::MIN, i64::MAX] {
        let foreign = json!({ "time_ms": time_ms, "lives_for_ms": u64::MAX, "started_ms": 1 }).to_string();
        view.apply(b"kvs-connect-worker-a", Some(foreign.as_bytes()), false, Instant::now());
    }
}

#[test]
fn the_worker_of_the_later_lease_counts() {
    let mut view = StatusView::default();
    heartbeat(&mut view, "old", LONG);
    heartbeat(&mut view, "new", LONG);
    reports(&mut view, "old", ReportedState::Running, 10);
    reports(&mut view, "new", ReportedState::Paused, 12);
    // The old owner was suspended and does not know yet that it has lost its shard.
    reports(&mut view, "old", ReportedState::Failed, 10);
    let counting = view.get(&key(), Instant::now());
    assert_eq!((counting.state, counting.reporter.worker_id.as_str()), (ReportedState::Paused, "new"));
    // Its report is the last in the log, which the new owner corrects: readers of the compacted topic see nothing else.
    assert_eq!(view.last_reported(&key()).unwrap().reporter.worker_id, "old");
    // The new owner is dead, and the old one has the shard again.
    heartbeat(&mut view, "new", None);
    reports(&mut view, "old", ReportedState::Running, 10);
    assert_eq!(state(&view), ReportedState::Running);
}

/// Reports of a worker's earlier run do not count as reports of the current one.
#[test]
fn reports_of_an_earlier_run_of_a_worker_count_no_more() {
    let mut view = StatusView::default();
    heartbeat(&mut view, "a", LONG);
    reports(&mut view, "a", ReportedState::Running, 10);
    let again = Reporter { worker_id: "a".to_owned(), started_ms: 2 };
    let (worker, value) = worker_record(&again, None, LONG);
    view.apply(&worker, value.as_deref(), true, Instant::now());
    assert_eq!(state(&view), ReportedState::Unassigned);
    // Versions that do not report their run are trusted.
    let (status, _) = key().record(None);
    view.apply(&status, Some(br#"{"state":"RUNNING","worker_id":"a","generation":3}"#), true, Instant::now());
    assert_eq!(state(&view), ReportedState::Running);
}

/// The failure of `cluster::workers_may_be_killed…`: a suspended worker's late heartbeat, read in time by only one of two
/// views, decided for ever which report each view believed.
#[test]
fn a_late_heartbeat_changes_no_view_for_ever() {
    let (mut heard, mut unheard) = (StatusView::default(), StatusView::default());
    let began = Instant::now();
    let later = began + Duration::from_secs(30);
    for (view, read_at) in [(&mut heard, began), (&mut unheard, later)] {
        // A suspended worker's heartbeat, valid for ten seconds, which the second view reads after it has expired.
        let (worker, value) = worker_record(&reporter("sleeper"), None, Some(Duration::from_secs(10)));
        view.apply(&worker, value.as_deref(), true, began);
        for (worker_id, state, lease_epoch) in [
            ("w", ReportedState::Running, 12),
            ("sleeper", ReportedState::Unassigned, 10),
            ("w", ReportedState::Running, 12),
        ] {
            let status = Status { state, trace: None, reporter: reporter(worker_id), lease_epoch };
            let (status_key, value) = key().record(Some(&status));
            view.apply(&status_key, value.as_deref(), true, read_at);
        }
        let (worker, value) = worker_record(&reporter("w"), None, LONG);
        view.apply(&worker, value.as_deref(), true, later);
    }
    assert_eq!(heard.get(&key(), later), unheard.get(&key(), later));
    assert_eq!(heard.get(&key(), later).state, ReportedState::Running);
}

/// One record of the topic: a report of one of three workers, or a heartbeat.
#[derive(Debug, Clone)]
enum Written {
    Report(u8, ReportedState, i64),
    Heartbeat(u8, u64),
    Left(u8),
}

fn written() -> impl Strategy<Value = Written> {
    let state = prop_oneof![Just(ReportedState::Running), Just(ReportedState::Unassigned), Just(ReportedState::Failed)];
    prop_oneof![
        3 => (0u8..3, state, 0i64..6).prop_map(|(worker, state, epoch)| Written::Report(worker, state, epoch)),
        2 => (0u8..3, 1u64..20).prop_map(|(worker, seconds)| Written::Heartbeat(worker, seconds)),
        1 => (0u8..3).prop_map(Written::Left),
    ]
}

proptest! {
    /// Two workers that have read the same records at different times, in any rhythm, give the same answer as soon as
    /// they agree on who is alive.
    #[test]
    fn views_that_read_the_same_at_different_times_are_the_same(
        records in prop::collection::vec((written(), 0u64..30, 0u64..30), 0..40),
        alive in prop::collection::vec(any::<bool>(), 3),
    ) {
        let began = Instant::now();
        let (mut one, mut other) = (StatusView::default(), StatusView::default());
        let (mut one_at, mut other_at) = (began, began);
        let name = |worker: u8| format!("w{worker}");
        for (record, one_pause, other_pause) in &records {
            one_at += Duration::from_secs(*one_pause);
            other_at += Duration::from_secs(*other_pause);
            let (record_key, value) = match record {
                Written::Report(worker, state, lease_epoch) => {
                    let status = Status {
                        state: *state, trace: None, reporter: reporter(&name(*worker)), lease_epoch: *lease_epoch,
                    };
                    key().record(Some(&status))
                }
                Written::Heartbeat(worker, seconds) => {
                    worker_record(&reporter(&name(*worker)), None, Some(Duration::from_secs(*seconds)))
                }
                Written::Left(worker) => worker_record(&reporter(&name(*worker)), None, None),
            };
            one.apply(&record_key, value.as_deref(), true, one_at);
            other.apply(&record_key, value.as_deref(), true, other_at);
        }
        let asked = one_at.max(other_at) + Duration::from_secs(30);
        for (worker, alive) in (0u8..).zip(&alive) {
            let (record_key, value) = worker_record(&reporter(&name(worker)), None, alive.then_some(Duration::from_secs(60)));
            one.apply(&record_key, value.as_deref(), true, asked);
            other.apply(&record_key, value.as_deref(), true, asked);
        }
        prop_assert_eq!(one.get(&key(), asked), other.get(&key(), asked));
        prop_assert_eq!(one.last_reported(&key()), other.last_reported(&key()));
    }
}

#[test]
fn a_bounded_number_of_reports_is_kept_and_the_latest_lease_among_them() {
    let mut view = StatusView::default();
    for worker in 0..40 {
        let name = format!("w{worker}");
        heartbeat(&mut view, &name, LONG);
        reports(&mut view, &name, ReportedState::Running, if worker == 20 { 99 } else { i64::from(worker) });
    }
    assert_eq!(view.reports[&key()].0.len(), REPORTS_MAX);
    assert_eq!(view.get(&key(), Instant::now()).reporter.worker_id, "w20");
    assert_eq!(view.last_reported(&key()).unwrap().reporter.worker_id, "w39");
}

#[test]
fn workers_that_have_been_dead_for_long_are_named() {
    let mut view = StatusView::default();
    heartbeat(&mut view, "a", Some(Duration::ZERO));
    heartbeat(&mut view, "b", LONG);
    let later = Instant::now() + Duration::from_secs(30);
    assert_eq!(view.long_dead(later, Duration::from_secs(20)).collect::<Vec<_>>(), ["a"]);
    assert_eq!(view.long_dead(later, Duration::from_secs(40)).count(), 0);
}

#[test]
fn a_status_of_a_later_version_is_passed_over() {
    let mut view = StatusView::default();
    heartbeat(&mut view, "a", LONG);
    reports(&mut view, "a", ReportedState::Running, 1);
    let (record_key, _) = key().record(None);
    for value in
        [&br#"{"version":2,"state":"RUNNING","worker_id":"a"}"#[..], br#"{"state":"DREAMING","worker_id":"a"}"#, b"{"]
    {
        view.apply(&record_key, Some(value), true, Instant::now());
    }
    assert_eq!(state(&view), ReportedState::Running);
}

#[test]
fn topics_are_remembered_until_they_are_taken_away() {
    let mut view = StatusView::default();
    for used in [true, false] {
        let (key, value) = topic_record("c", "a.topic", used);
        view.apply(&key, value.as_deref(), true, Instant::now());
        assert_eq!(view.topics("c").is_some_and(|topics| topics.contains("a.topic")), used);
    }
    // Nothing is kept either for a connector that no longer has topics, or never had one.
    let (key, value) = topic_record("never", "a.topic", false);
    view.apply(&key, value.as_deref(), true, Instant::now());
    assert!(view.topics.is_empty());
}
