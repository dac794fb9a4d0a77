use super::*;

#[test]
fn a_shard_has_a_trouble_from_its_loss_to_its_next_commit() {
    let report = OwnerReport::default();
    assert_eq!(report.trouble(), None, "the shard is being acquired for the first time");
    report.lost("no leader".to_owned());
    assert!(report.trouble().unwrap().contains("no leader"));
    report.acquired();
    assert!(report.trouble().unwrap().contains("no leader"), "nothing has been committed since");
    report.committed();
    assert_eq!(report.trouble(), None);
}

/// Moves all times of a report back by `by`.
fn age(report: &OwnerReport, by: Duration) {
    let mut state = report.lock();
    state.unowned_since = state.unowned_since.map(|since| since.checked_sub(by).unwrap());
    if let Some(losses) = &mut state.losses {
        losses.first = losses.first.checked_sub(by).unwrap();
    }
}

#[test]
fn one_that_has_no_owner_or_loses_it_again_and_again_stands_still() {
    let report = OwnerReport::default();
    assert_eq!(report.standing_still(), None);
    age(&report, STANDING_STILL_AFTER);
    assert!(report.standing_still().unwrap().1.contains("acquired"));
    report.acquired();
    assert_eq!(report.standing_still(), None);
    report.lost("refused".to_owned());
    report.acquired();
    assert_eq!(report.standing_still(), None, "a single loss does not count");
    age(&report, STANDING_STILL_AFTER);
    report.lost("refused".to_owned());
    report.acquired();
    assert!(report.standing_still().unwrap().1.contains("refused"), "several losses, with nothing committed, count");
    report.committed();
    assert_eq!(report.standing_still(), None);
}

#[test]
fn one_whose_owner_has_died_stands_still_at_once() {
    let report = OwnerReport::default();
    report.acquired();
    report.died("shard panicked".to_owned());
    assert!(report.standing_still().unwrap().1.contains("panicked"));
    report.acquired();
    assert_eq!(report.standing_still(), None);
}
