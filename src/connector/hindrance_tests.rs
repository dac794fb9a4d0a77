use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_lasts_is_told_after_a_while_and_until_the_stream_comes_on() {
    let began = Instant::now();
    let mut hindrance = Hindrance::default();
    assert_eq!(hindrance.told(true, began), None);
    hindrance.note("refused".to_owned(), false, began);
    assert_eq!(hindrance.told(true, began + 9 * SECOND), None);
    assert_eq!(hindrance.told(true, began + 10 * SECOND), Some("refused"));
    assert_eq!(hindrance.told(true, began + 1_000 * SECOND), Some("refused"));
    hindrance.clear();
    assert_eq!(hindrance.told(true, began + 1_000 * SECOND), None);
}

#[test]
fn sessions_that_open_and_fail_again_and_again_are_one_hindrance() {
    let began = Instant::now();
    let mut hindrance = Hindrance::default();
    for times in 0..4 {
        hindrance.note(format!("reset {times}"), false, began + 5 * times * SECOND);
    }
    assert_eq!(hindrance.told(false, began + 16 * SECOND), Some("reset 3"));
    // An open session at last, with nothing to send: a camera that is switched off is not a problem.
    assert_eq!(hindrance.told(false, began + 75 * SECOND), None);
    // A failure much later is another one.
    hindrance.note("reset".to_owned(), false, began + 500 * SECOND);
    assert_eq!(hindrance.told(false, began + 501 * SECOND), None);
}

#[test]
fn a_long_wait_between_two_tries_does_not_end_it() {
    let began = Instant::now();
    let mut hindrance = Hindrance::default();
    hindrance.note("denied".to_owned(), false, began);
    hindrance.note("denied".to_owned(), true, began + 300 * SECOND);
    assert_eq!(hindrance.told(true, began + 301 * SECOND), Some("denied"));
}
