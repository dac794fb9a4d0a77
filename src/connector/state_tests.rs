use super::*;

fn key() -> OffsetKey {
    OffsetKey { connector: "c".to_owned(), stream: "s".to_owned() }
}

#[test]
fn a_stream_that_has_failed_stays_so_until_it_is_removed() {
    let states = StreamStates::default();
    states.begin(&key());
    states.fail(&key(), "why".to_owned());
    states.set(&key(), StreamState::Running);
    states.forget(&key());
    states.begin(&key());
    assert!(states.is_failed(&key()));
    assert_eq!(states.all()[0].1.to_json(&key())["reason"], "why");
    states.remove(&key());
    assert!(states.all().is_empty());
}

#[test]
fn what_a_stopped_task_says_late_is_not_heard() {
    let states = StreamStates::default();
    states.begin(&key());
    states.forget(&key());
    states.set(&key(), StreamState::Running);
    states.count_error(&key(), "5000");
    states.fail(&key(), "late".to_owned());
    assert!(states.all().is_empty());
}

#[test]
fn the_status_says_how_far_a_backfill_is() {
    let states = StreamStates::default();
    states.begin(&key());
    let progress = BackfillProgress { permille: 125, fragments: 3, size_bytes: 99, eta_s: Some(70) };
    states.set(&key(), StreamState::Backfilling(progress));
    states.count_error(&key(), "5000");
    let json = states.all()[0].1.to_json(&key());
    assert_eq!((&json["state"], &json["backfill"]["percent"]), (&"BACKFILLING".into(), &12.5.into()));
    assert_eq!((&json["backfill"]["eta_s"], &json["errors"]["5000"]), (&70.into(), &1.into()));
}
