use super::*;

fn key() -> StatusKey {
    StatusKey::Task("c-1".to_owned(), 4)
}

fn says(view: &mut StatusView, worker_id: &str, state: RunState, generation: i64) {
    let status = Status { state, trace: None, worker_id: worker_id.to_owned(), generation };
    let (key, value) = key().record(Some(&status));
    view.apply(&key, value.as_deref(), true);
}

fn lives(view: &mut StatusView, worker_id: &str, duration: Option<Duration>) {
    let (key, value) = worker_record(worker_id, duration);
    view.apply(&key, value.as_deref(), true);
}

const LONG: Option<Duration> = Some(Duration::from_secs(60));

#[test]
fn what_a_dead_worker_said_is_unassigned_and_never_running() {
    let mut view = StatusView::default();
    assert_eq!(view.get(&key()).state, RunState::Unassigned);
    says(&mut view, "a", RunState::Running, 1);
    assert_eq!(view.get(&key()).state, RunState::Unassigned, "nobody has heard of the worker");
    lives(&mut view, "a", LONG);
    assert_eq!(view.get(&key()).state, RunState::Running);
    lives(&mut view, "a", Some(Duration::ZERO));
    assert_eq!(view.get(&key()).state, RunState::Unassigned);
    lives(&mut view, "a", LONG);
    lives(&mut view, "a", None);
    assert_eq!(view.get(&key()).state, RunState::Unassigned, "it has left");
}

/// A worker that reads the topic from its beginning takes nobody for alive who was alive then.
#[test]
fn a_sign_of_life_of_the_past_is_as_old_as_it_says() {
    let mut view = StatusView::default();
    says(&mut view, "a", RunState::Running, 1);
    let old = json!({ "time_ms": now_ms() - 20_000, "lives_for_ms": 15_000 }).to_string();
    view.apply(b"kvs-connect-worker-a", Some(old.as_bytes()), false);
    assert_eq!(view.get(&key()).state, RunState::Unassigned);
    let young = json!({ "time_ms": now_ms() - 2_000, "lives_for_ms": 15_000 }).to_string();
    view.apply(b"kvs-connect-worker-a", Some(young.as_bytes()), false);
    assert_eq!(view.get(&key()).state, RunState::Running);
}

#[test]
fn the_worker_that_took_the_shard_later_is_heard() {
    let mut view = StatusView::default();
    lives(&mut view, "old", LONG);
    lives(&mut view, "new", LONG);
    says(&mut view, "old", RunState::Running, 10);
    says(&mut view, "new", RunState::Paused, 12);
    // It was asleep and does not know yet that its shard is another's.
    says(&mut view, "old", RunState::Failed, 10);
    assert_eq!((view.get(&key()).state, view.get(&key()).worker_id.as_str()), (RunState::Paused, "new"));
    // The new one is dead, and the old one has it again.
    lives(&mut view, "new", None);
    says(&mut view, "old", RunState::Running, 10);
    assert_eq!(view.get(&key()).state, RunState::Running);
}

#[test]
fn a_status_of_a_later_version_is_passed_over() {
    let mut view = StatusView::default();
    lives(&mut view, "a", LONG);
    says(&mut view, "a", RunState::Running, 1);
    let (record_key, _) = key().record(None);
    view.apply(&record_key, Some(br#"{"version":2,"state":"RUNNING","worker_id":"a"}"#), true);
    view.apply(&record_key, Some(br#"{"state":"DREAMING","worker_id":"a"}"#), true);
    view.apply(&record_key, Some(b"{"), true);
    assert_eq!(view.get(&key()).state, RunState::Running);
}

#[test]
fn topics_are_remembered_until_they_are_taken_away() {
    let mut view = StatusView::default();
    for used in [true, false] {
        let (key, value) = topic_record("c", "a.topic", used);
        view.apply(&key, value.as_deref(), true);
        assert_eq!(view.topics("c").contains("a.topic"), used);
    }
}
