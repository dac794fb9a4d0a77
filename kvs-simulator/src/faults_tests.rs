use super::*;

fn struck(seed: u64) -> Vec<bool> {
    let faults = Faults::new(seed);
    faults.add(Fault::new(FaultKind::Delay { duration_ms: 1 }).api("*").times(0).probability(0.5));
    (0..64).map(|_| faults.take("ListStreams", None).is_some()).collect()
}

#[test]
fn the_same_seed_strikes_the_same_calls() {
    assert_eq!(struck(7), struck(7));
    assert_ne!(struck(7), struck(8));
    let hits = struck(7).into_iter().filter(|&hit| hit).count();
    assert!((16..48).contains(&hits), "{hits}");
}

#[test]
fn operation_stream_count_and_window_are_respected() {
    let faults = Faults::new(0);
    faults.add(Fault::new(FaultKind::ServeIncomplete {}).on("a").times(2));
    assert_eq!(faults.take("GetMedia", Some("b")), None);
    assert_eq!(faults.take("PutMedia", Some("a")), None);
    assert!(faults.take("GetMedia", Some("a")).is_some());
    assert!(faults.take("GetMedia", Some("a")).is_some());
    assert_eq!(faults.take("GetMedia", Some("a")), None);
    let later = Fault { from_ms: Some(3_600_000), ..Fault::new(FaultKind::ServeIncomplete {}) };
    let over = Fault { until_ms: Some(0), ..later.clone() };
    let over = Fault { from_ms: None, ..over };
    faults.add(later);
    faults.add(over);
    assert_eq!(faults.take("GetMedia", Some("a")), None);
}
