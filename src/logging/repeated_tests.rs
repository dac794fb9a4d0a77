use super::*;

#[test]
fn it_is_said_when_it_begins_once_a_minute_and_when_it_is_over() {
    let (repeated, began) = (Repeated::default(), Instant::now());
    assert_eq!(repeated.over(), None);
    assert_eq!(repeated.again_at(began), Some(1));
    for second in 1..60 {
        assert_eq!(repeated.again_at(began + Duration::from_secs(second)), None);
    }
    assert_eq!(repeated.again_at(began + SAY_AGAIN), Some(60));
    assert_eq!(repeated.again_at(began + SAY_AGAIN + Duration::from_secs(1)), None);
    assert!(repeated.over().is_some());
    assert_eq!(repeated.again_at(began + SAY_AGAIN + Duration::from_secs(2)), Some(1));
}
