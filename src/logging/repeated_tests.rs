use super::*;

#[test]
fn it_is_said_when_it_begins_once_a_minute_and_when_it_is_over() {
    let (repeated, began) = (Repeated::default(), Instant::now());
    assert_eq!(repeated.over(), None);
    let at = |second: u64, text: &str| repeated.again_at(text, began + Duration::from_secs(second));
    assert_eq!(at(0, "away for 0 s"), Some(1));
    for second in 1..60 {
        assert_eq!(at(second, &format!("away for {second} s")), None);
    }
    assert_eq!(at(60, "away for 60 s"), Some(60));
    assert_eq!(at(61, "away for 61 s"), None);
    // A different cause is logged once; and only a few are distinguished.
    assert_eq!(at(62, "refused"), Some(2));
    assert_eq!((at(63, "refused"), at(64, "away for 64 s")), (None, None));
    assert_eq!((0..20).filter_map(|index| at(65, &"x".repeat(index))).count(), TEXTS_MAX - 2);
    assert!(repeated.over().is_some());
    assert_eq!(at(66, "away for 66 s"), Some(1));
}
