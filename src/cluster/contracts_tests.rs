#![allow(clippy::unwrap_used)]

use super::*;

const SETTING: &str = "status.storage.topic";

fn full(group: &str) -> Contract {
    Contract {
        offsets_topic: Some(format!("{group}-offsets")),
        config_topic: Some(format!("{group}-configs")),
        status_topic: Some("connect-status".to_owned()),
        ..Contract::of_group(group, 25)
    }
}

/// Two groups create a log at the same moment: for every reader, at any time, the first record decides.
#[test]
fn the_first_record_in_the_log_decides_whose_it_is() {
    let mut log = Contracts::default();
    assert_eq!(log.check(&full("a"), SETTING), Ok(false));
    log.apply("1", Some(Ok(full("b"))));
    log.apply("2", Some(Ok(full("a"))));
    assert_eq!(log.check(&full("b"), SETTING), Ok(true));
    let refused = log.check(&full("a"), SETTING).unwrap_err().to_string();
    assert!(refused.contains("\"b\"") && refused.contains("\"a\"") && refused.contains(SETTING), "{refused}");
    // The records are read again, as after a reader was replaced.
    log.apply("1", Some(Ok(full("a"))));
    assert_eq!(log.check(&full("b"), SETTING), Ok(true));
}

#[test]
fn what_an_earlier_version_left_unsaid_is_filled_in_by_its_own_group_alone() {
    let mut log = Contracts::default();
    log.apply(OF_GROUP, Some(Ok(Contract { partitions: None, ..Contract::of_group("a", 1) })));
    assert_eq!(log.check(&full("a"), SETTING), Ok(false));
    assert!(log.check(&full("b"), SETTING).is_err());
    log.apply("1", Some(Ok(full("b"))));
    log.apply("2", Some(Ok(full("a"))));
    assert_eq!(log.check(&full("a"), SETTING), Ok(true));
    let other = Contract { config_topic: Some("x".to_owned()), ..full("a") };
    let refused = log.check(&other, SETTING).unwrap_err().to_string();
    assert!(
        refused.contains("config.storage.topic=a-configs") && refused.contains("config.storage.topic=x"),
        "{refused}"
    );
}

#[test]
fn a_first_record_that_cannot_be_read_is_not_taken_for_none() {
    let mut log = Contracts::default();
    log.apply("1", Some(Contract::read(b"later")));
    assert!(matches!(log.check(&full("a"), SETTING), Err(ContractError::Unreadable { .. })));
}
