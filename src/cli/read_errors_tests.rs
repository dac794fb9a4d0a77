use super::*;

fn consumption(code: RDKafkaErrorCode) -> KafkaError {
    KafkaError::MessageConsumption(code)
}

#[test]
fn a_topic_that_stays_unknown_is_given_up_where_its_end_is_read_to() {
    let unknown = consumption(RDKafkaErrorCode::UnknownTopicOrPartition);
    let mut errors = ReadErrors::default();
    assert!(errors.note("t", &unknown, true).is_ok());
    assert!(errors.said.is_some() && errors.unknown_since.is_some());
    let Some(long_ago) = Instant::now().checked_sub(GONE_AFTER) else { return };
    errors.unknown_since = Some(long_ago);
    // It may be created again, and other errors pass.
    assert!(errors.note("t", &unknown, false).is_ok());
    assert!(errors.note("t", &consumption(RDKafkaErrorCode::BrokerTransportFailure), true).is_ok());
    let gone = errors.note("t", &unknown, true).map_err(|failure| failure.lines.join("; "));
    assert_eq!(gone, Err("t: the topic does not exist any more: it was deleted while it was read".to_owned()));
    errors.clear();
    assert!(errors.note("t", &unknown, true).is_ok());
}
