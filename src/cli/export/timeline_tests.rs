use super::*;

const MS: i64 = 1_000_000;

fn span(start_ms: i64, length_ms: i64, utc_ms: Option<i64>, discontinuity: bool) -> Span {
    let utc_ns = utc_ms.map(|utc| utc * MS);
    Span { start_ns: start_ms * MS, end_ns: (start_ms + length_ms) * MS, utc_ns, discontinuity }
}

/// Places spans; returns where each begins in the file, and the gaps, in milliseconds.
fn placed(spans: &[Span]) -> (Vec<i64>, Vec<(i64, i64)>) {
    let mut timeline = Timeline::default();
    let (mut starts, mut gaps) = (Vec::new(), Vec::new());
    for span in spans {
        let (offset, gap) = timeline.place(*span, MS);
        starts.push((span.start_ns + offset) / MS);
        gaps.extend(gap.map(|gap| (gap.at_ns / MS, gap.length_ns / MS)));
    }
    (starts, gaps)
}

#[test]
fn a_session_keeps_its_distances_and_begins_at_zero() {
    let spans = [span(7_000, 2_000, None, true), span(9_030, 2_000, None, false), span(14_000, 2_000, None, false)];
    assert_eq!(placed(&spans), (vec![0, 2_030, 7_000], vec![(4_030, 2_970)]));
}

#[test]
fn after_a_discontinuity_utc_says_how_much_time_passed() {
    // Another session, whose clock begins at 0, ten seconds later.
    let spans = [span(7_000, 2_000, Some(100_000), true), span(0, 2_000, Some(112_000), true)];
    assert_eq!(placed(&spans), (vec![0, 12_000], vec![(2_000, 10_000)]));
    // The same clock goes on: what is between is exact.
    let spans = [span(7_000, 2_000, Some(100_000), true), span(19_003, 2_000, Some(112_000), true)];
    assert_eq!(placed(&spans).0, [0, 12_003]);
    // Without UTC, or with one that runs back, it follows at once.
    for utc in [None, Some(99_000)] {
        let spans = [span(7_000, 2_000, Some(100_000), true), span(0, 2_000, utc, true), span(2_000, 500, utc, false)];
        assert_eq!(placed(&spans), (vec![0, 2_000, 4_000], vec![]));
    }
}

#[test]
fn a_clock_that_runs_back_is_a_new_one() {
    let spans = [span(7_000, 2_000, None, false), span(1_000, 2_000, None, false)];
    assert_eq!(placed(&spans), (vec![0, 2_000], vec![]));
}
