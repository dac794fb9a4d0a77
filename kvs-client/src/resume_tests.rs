use super::*;

fn position(token: Option<&str>) -> StreamPosition {
    StreamPosition {
        fragment_number: "7".parse().unwrap(),
        continuation_token: token.map(str::to_owned),
        server_timestamp: Some(Timestamp::from_millis(5)),
        producer_timestamp: None,
        continuity: Continuity::default(),
    }
}

/// The selectors of the ladder, with a mark before the first one of a lost position.
fn ladder(resume: &mut Resume) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    while let Some(selector) = resume.selector() {
        if resume.is_lost() && !kinds.contains(&"lost") {
            kinds.push("lost");
        }
        kinds.push(selector.kind());
        if !resume.refuse() {
            break;
        }
    }
    kinds
}

#[test]
fn a_refused_number_means_a_lost_position() {
    let kinds = |position, lost| ladder(&mut Resume::new(StartSelector::Earliest, Some(position), lost));
    let (with, without) = (position(Some("t")), position(None));
    assert_eq!(kinds(with.clone(), PositionLost::Fail), ["CONTINUATION_TOKEN", "FRAGMENT_NUMBER"]);
    assert_eq!(kinds(without.clone(), PositionLost::Fail), ["FRAGMENT_NUMBER"]);
    assert_eq!(kinds(with.clone(), PositionLost::Now), ["CONTINUATION_TOKEN", "FRAGMENT_NUMBER", "lost", "NOW"]);
    let behind_the_position = ["FRAGMENT_NUMBER", "lost", "SERVER_TIMESTAMP", "EARLIEST"];
    assert_eq!(kinds(without.clone(), PositionLost::Earliest), behind_the_position);
    assert_eq!(kinds(with, PositionLost::Earliest), [&["CONTINUATION_TOKEN"], &behind_the_position[..]].concat());
    let timeless = StreamPosition { server_timestamp: None, ..without };
    assert_eq!(kinds(timeless, PositionLost::Earliest), ["FRAGMENT_NUMBER", "lost", "EARLIEST"]);
}

#[test]
fn a_fragment_returns_to_the_first_rung() {
    let mut resume = Resume::new(StartSelector::Now, Some(position(Some("t"))), PositionLost::Now);
    assert!(resume.refuse() && resume.refuse() && resume.is_lost());
    resume.advance(position(Some("u")));
    assert_eq!(resume.selector(), Some(StartSelector::ContinuationToken("u".to_owned())));
    assert!(!resume.is_lost());
}

#[test]
fn without_a_position_there_is_only_the_start() {
    let mut resume = Resume::new(StartSelector::Earliest, None, PositionLost::Earliest);
    assert_eq!(resume.selector(), Some(StartSelector::Earliest));
    assert!(!resume.refuse());
}

#[test]
fn now_misses_nothing_between_two_sessions() {
    let mut resume = Resume::new(StartSelector::Now, None, PositionLost::Fail);
    assert_eq!(resume.selector(), Some(StartSelector::Now));
    resume.note_empty_session(std::time::UNIX_EPOCH + std::time::Duration::from_secs(9));
    assert_eq!(resume.selector(), Some(StartSelector::ServerTimestamp(Timestamp::from_millis(9000))));
}
