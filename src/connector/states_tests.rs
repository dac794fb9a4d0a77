#![allow(clippy::unwrap_used)]

use super::super::state::{BackfillProgress, Reported};
use super::*;

fn key() -> OffsetKey {
    OffsetKey { connector: "c".to_owned(), stream: "s".to_owned() }
}

#[test]
fn a_stream_that_has_failed_stays_so_until_it_is_removed() {
    let states = StreamStates::default();
    states.begin(&key(), 1);
    states.fail(&key(), "why".to_owned(), Restart::Automatic);
    states.set(&key(), StreamState::Running);
    states.forget(&key());
    states.begin(&key(), 1);
    assert!(states.is_failed(&key()));
    assert_eq!(states.all()[0].1.state, StreamState::Failed { reason: "why".to_owned() });
    states.remove(&key());
    assert!(states.all().is_empty());
}

#[test]
fn a_stream_that_fails_is_started_again_later_each_time_until_the_time_is_over() {
    let states = StreamStates::default();
    let second = Duration::from_secs(1);
    let policy = RestartPolicy { timeout: None, base: 10 * second, cap: 30 * second };
    states.begin(&key(), 1);
    for most in [10, 20, 30, 30] {
        states.fail(&key(), "why".to_owned(), Restart::Automatic);
        let delay = states.restart_in(&key(), &policy).unwrap();
        assert!(delay <= most * second && delay > (most - 1) * second, "{delay:?}");
        states.restarted(&key(), Restart::Automatic);
        assert!(!states.is_failed(&key()));
    }
    states.fail(&key(), "why".to_owned(), Restart::Automatic);
    assert_eq!(states.restart_in(&key(), &RestartPolicy { timeout: Some(5 * second), ..policy }), None);
    // A commit or a restart by hand makes the count start over.
    states.restarted(&key(), Restart::ByHand);
    states.fail(&key(), "why".to_owned(), Restart::Automatic);
    assert!(states.restart_in(&key(), &policy).unwrap() <= 10 * second);
    states.restarted(&key(), Restart::Automatic);
    states.fail(&key(), "too large".to_owned(), Restart::ByHand);
    assert_eq!(states.restart_in(&key(), &policy), None);
}

#[test]
fn what_a_stopped_task_says_late_is_not_heard() {
    let states = StreamStates::default();
    states.begin(&key(), 1);
    states.forget(&key());
    states.set(&key(), StreamState::Running);
    states.count_error(&key(), "5000");
    states.fail(&key(), "late".to_owned(), Restart::Automatic);
    assert!(states.all().is_empty());
}

#[test]
fn the_status_says_how_far_a_backfill_is() {
    let states = StreamStates::default();
    states.begin(&key(), 1);
    let progress = BackfillProgress { permille: 125, fragments: 3, size_bytes: 99, eta_s: Some(70) };
    states.set(&key(), StreamState::Backfilling(progress));
    states.count_error(&key(), "5000");
    let status = states.all()[0].1.clone();
    assert_eq!((status.state, status.errors["5000"]), (StreamState::Backfilling(progress), 1));
}

#[test]
fn the_delay_grows_over_lost_shards_until_something_is_committed() {
    let (states, second) = (StreamStates::default(), Duration::from_secs(1));
    let policy = RestartPolicy { timeout: Some(300 * second), base: 10 * second, cap: 100 * second };
    let delay = || states.restart_in(&key(), &policy).unwrap();
    // A record that is too large: it is pulled, and costs the shard, each time.
    for most in [10, 20, 40] {
        states.begin(&key(), 1);
        states.set(&key(), StreamState::Running);
        states.forget(&key());
        states.begin(&key(), 0);
        states.fail(&key(), "too large".to_owned(), Restart::Automatic);
        assert!(delay() > (most - 1) * second && delay() <= most * second, "{:?}", delay());
        states.restarted(&key(), Restart::Automatic);
    }
    states.committed(&key());
    states.fail(&key(), "again".to_owned(), Restart::Automatic);
    assert!(delay() <= 10 * second);
    // What was on its way before the failure is committed after it: the stream is restarted nevertheless.
    states.restarted(&key(), Restart::Automatic);
    states.fail(&key(), "again".to_owned(), Restart::Automatic);
    assert!(delay() > 10 * second);
    states.committed(&key());
    assert!(states.is_failed(&key()) && delay() <= 10 * second);
    states.remove(&key());
    assert_eq!(states.restart_in(&key(), &policy), None);
}

#[test]
fn a_refused_time_counts_for_a_while() {
    let states = StreamStates::default();
    assert!(!states.writes_ingest_time(&key()));
    states.refuse_timestamps(&key(), Instant::now() + Duration::from_secs(600));
    states.forget(&key());
    assert!(states.writes_ingest_time(&key()));
    states.refuse_timestamps(&key(), Instant::now());
    assert!(!states.writes_ingest_time(&key()));
}

fn reported(states: &StreamStates) -> Reported {
    states.look(&key(), StreamStatus::reported).unwrap()
}

#[test]
fn a_stream_runs_when_something_has_been_had_from_the_service() {
    let states = StreamStates::default();
    states.begin(&key(), 1);
    assert!(matches!(reported(&states), Reported::Starting(_)), "{:?}", reported(&states));
    states.set(&key(), StreamState::Retrying { reason: "refused".to_owned() });
    assert_eq!(reported(&states), Reported::Starting("refused".to_owned()));
    states.note(&key(), StreamStatus::opened);
    assert_eq!(reported(&states), Reported::Running(None));
    // A short failure is not reported.
    states.set(&key(), StreamState::Retrying { reason: "reset".to_owned() });
    assert_eq!(reported(&states), Reported::Running(None));
    // A new acquisition of the shard starts over.
    states.forget(&key());
    states.begin(&key(), 2);
    assert!(matches!(reported(&states), Reported::Starting(_)));
}

#[test]
fn a_stream_that_has_failed_is_reported_so_until_it_has_come_on() {
    let failed = Reported::Failed("why".to_owned());
    let states = StreamStates::default();
    states.begin(&key(), 1);
    for _ in 0..2 {
        states.fail(&key(), "why".to_owned(), Restart::Automatic);
        assert_eq!(reported(&states), failed);
        states.restarted(&key(), Restart::Automatic);
        assert!(!states.is_failed(&key()) && states.has_failed(&key()));
        states.set(&key(), StreamState::Retrying { reason: "again".to_owned() });
        assert_eq!(reported(&states), failed);
        // It is pulled, but Kafka may refuse what arrives, and the shard may be lost because of it.
        states.note(&key(), StreamStatus::opened);
        states.set(&key(), StreamState::Running);
        states.settle();
        assert_eq!(reported(&states), failed);
        states.forget(&key());
        assert_eq!(reported(&states), failed);
        states.begin(&key(), 2);
    }
    states.restarted(&key(), Restart::Automatic);
    states.set(&key(), StreamState::Running);
    states.committed(&key());
    assert_eq!(reported(&states), Reported::Running(None));
    // A restart by hand ends the failure at once.
    states.fail(&key(), "why".to_owned(), Restart::Automatic);
    states.restarted(&key(), Restart::ByHand);
    assert!(matches!(reported(&states), Reported::Starting(_)));
}
