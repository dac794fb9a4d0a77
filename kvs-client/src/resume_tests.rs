use super::*;

fn position(token: Option<&str>) -> StreamPosition {
    StreamPosition {
        fragment_number: "7".parse().unwrap(),
        continuation_token: token.map(str::to_owned),
        server_timestamp: Some(Timestamp::from_millis(5)),
        producer_timestamp: None,
    }
}

fn ladder(resume: &mut Resume) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    while let Some(selector) = resume.selector() {
        kinds.push(selector.kind());
        if !resume.refuse() {
            break;
        }
    }
    kinds
}

#[test]
fn walks_the_ladder() {
    let kinds = |token, lost| ladder(&mut Resume::new(StartSelector::Earliest, Some(position(token)), lost));
    let whole = ["CONTINUATION_TOKEN", "FRAGMENT_NUMBER", "SERVER_TIMESTAMP"];
    assert_eq!(kinds(Some("t"), PositionLost::Fail), whole);
    assert_eq!(kinds(Some("t"), PositionLost::Earliest), [&whole[..], &["EARLIEST"]].concat());
    assert_eq!(kinds(Some("t"), PositionLost::Now), [&whole[..], &["NOW"]].concat());
    assert_eq!(kinds(None, PositionLost::Fail), whole[1..]);
}

#[test]
fn a_fragment_puts_it_back_to_the_first_rung() {
    let mut resume = Resume::new(StartSelector::Now, Some(position(Some("t"))), PositionLost::Fail);
    assert!(resume.refuse() && resume.refuse());
    resume.advance(position(Some("u")));
    assert_eq!(resume.selector(), Some(StartSelector::ContinuationToken("u".to_owned())));
}

#[test]
fn without_a_position_there_is_only_the_start() {
    let mut resume = Resume::new(StartSelector::Earliest, None, PositionLost::Earliest);
    assert_eq!(resume.selector(), Some(StartSelector::Earliest));
    assert!(!resume.refuse());
}

#[test]
fn now_leaves_nothing_out_between_two_sessions() {
    let mut resume = Resume::new(StartSelector::Now, None, PositionLost::Fail);
    assert_eq!(resume.selector(), Some(StartSelector::Now));
    resume.began(std::time::UNIX_EPOCH + std::time::Duration::from_secs(9));
    assert_eq!(resume.selector(), Some(StartSelector::ServerTimestamp(Timestamp::from_millis(9000))));
}
