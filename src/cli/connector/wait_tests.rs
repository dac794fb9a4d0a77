use serde_json::json;

use super::*;

const NOW: Duration = Duration::ZERO;

fn status(connector: &str, tasks: &[(&str, &str)]) -> Value {
    let tasks: Vec<Value> = tasks
        .iter()
        .enumerate()
        .map(|(id, (state, trace))| match *trace {
            "" => json!({ "id": id, "state": state }),
            trace => json!({ "id": id, "state": state, "trace": trace }),
        })
        .collect();
    json!({ "connector": { "state": connector }, "tasks": tasks })
}

fn failed(trace: &str) -> Verdict {
    Verdict::Failed(trace.to_owned())
}

#[test]
fn a_failure_from_before_a_restart_is_none_until_it_has_lasted_or_changed() {
    let old = status("RUNNING", &[("RUNNING", ""), ("FAILED", "refused")]);
    let mut before = FailedBefore::of(Some(&old));
    assert_eq!(verdict(&old, Until::Running, &mut before, NOW), Verdict::NotYet);
    let waited = STALE_FOR - Duration::from_millis(1);
    assert_eq!(verdict(&old, Until::Running, &mut before, waited), Verdict::NotYet);
    assert_eq!(verdict(&old, Until::Running, &mut before, STALE_FOR), failed("refused"));
    // Another part that fails is not an old failure, nor is another reason.
    let other = status("RUNNING", &[("FAILED", "gone"), ("FAILED", "refused")]);
    assert_eq!(verdict(&other, Until::Running, &mut before, NOW), failed("gone"));
    let again = status("RUNNING", &[("RUNNING", ""), ("FAILED", "refused again")]);
    assert_eq!(verdict(&again, Until::Running, &mut before, NOW), failed("refused again"));
    // Without a restart a failure is final at once.
    assert_eq!(verdict(&old, Until::Running, &mut FailedBefore::default(), NOW), failed("refused"));
}

#[test]
fn what_was_started_again_and_fails_in_the_same_way_has_failed() {
    let old = status("FAILED", &[]);
    let mut before = FailedBefore::of(Some(&old));
    assert_eq!(verdict(&old, Until::Running, &mut before, NOW), Verdict::NotYet);
    assert_eq!(verdict(&status("RESTARTING", &[]), Until::Running, &mut before, NOW), Verdict::NotYet);
    assert_eq!(verdict(&old, Until::Running, &mut before, NOW), failed("no reason is known"));
}

#[test]
fn what_runs_with_a_trace_is_not_so_yet() {
    let mut none = FailedBefore::default();
    let hindered = status("RUNNING", &[("RUNNING", ""), ("RUNNING", "no answer from 127.0.0.1:9")]);
    assert_eq!(verdict(&hindered, Until::Running, &mut none, NOW), Verdict::NotYet);
    assert_eq!(summary(&hindered), "RUNNING, tasks: 2 RUNNING (1 RUNNING with a trace)");
    assert_eq!(reasons(&hindered), "; task 1: no answer from 127.0.0.1:9");
    assert_eq!(verdict(&status("RUNNING", &[("RUNNING", "")]), Until::Running, &mut none, NOW), Verdict::Done);
    // A backfill that is done, or waits for time to pass, needs no attention.
    for begin in BACKFILL_TRACES {
        let waits = format!("{begin}, and waits until tomorrow");
        assert_eq!(verdict(&status("RUNNING", &[("RUNNING", &waits)]), Until::Running, &mut none, NOW), Verdict::Done);
    }
    let many: Vec<(&str, &str)> = std::iter::repeat_n(("RUNNING", "x"), 5).collect();
    assert!(reasons(&status("RUNNING", &many)).ends_with("; task 2: x; 2 more have a reason"));
}

#[test]
fn other_states_are_waited_for_whatever_has_failed() {
    let mut none = FailedBefore::default();
    let one = status("PAUSED", &[("PAUSED", ""), ("FAILED", "refused")]);
    assert_eq!(verdict(&one, Until::Paused, &mut none, NOW), Verdict::NotYet);
    assert_eq!(verdict(&status("PAUSED", &[("PAUSED", "")]), Until::Paused, &mut none, NOW), Verdict::Done);
    assert_eq!(verdict(&status("STOPPED", &[]), Until::Stopped, &mut none, NOW), Verdict::Done);
    assert_eq!(verdict(&one, Until::Gone, &mut none, NOW), Verdict::NotYet);
}
