use super::*;

#[test]
fn it_is_said_when_it_begins_each_minute_and_when_it_is_over() {
    let mut condition = Condition { since: None, refused: None, said: None };
    let began = Instant::now();
    let at = |ms: u64| began + Duration::from_millis(ms);
    assert_eq!(condition.granted(at(0)), Say::Nothing);
    assert_eq!(condition.refused(at(0)), Say::Begun);
    let repeated = (1..1_200).filter(|tenth| condition.refused(at(tenth * 100)) == Say::Begun).count();
    assert_eq!(repeated, 1, "two minutes, minus a tenth of a second: once more");
    assert_eq!(condition.granted(at(120_000)), Say::Nothing, "the condition may come back in a moment");
    assert!(condition.since.is_some());
    assert_eq!(condition.granted(at(130_000)), Say::Over);
    assert!(condition.since.is_none());
    assert_eq!(condition.granted(at(131_000)), Say::Nothing);
}

#[test]
fn what_comes_and_goes_is_said_once_a_minute() {
    let mut condition = Condition { since: None, refused: None, said: None };
    let began = Instant::now();
    let mut said = Vec::new();
    for round in 0..3 {
        said.push(condition.refused(began + Duration::from_secs(round * 20)));
        said.push(condition.granted(began + Duration::from_secs(round * 20 + 15)));
    }
    assert_eq!(said, [Say::Begun, Say::Over, Say::Nothing, Say::Nothing, Say::Nothing, Say::Nothing]);
}

#[test]
fn only_the_errors_of_descriptors_count() {
    let error = |errno: Errno| std::io::Error::from_raw_os_error(errno as i32);
    assert!(is_out_of_files(&error(Errno::EMFILE)) && is_out_of_files(&error(Errno::ENFILE)));
    assert!(!is_out_of_files(&error(Errno::ECONNRESET)));
    assert!(!is_out_of_files(&std::io::Error::other("Too many open files")));
}
