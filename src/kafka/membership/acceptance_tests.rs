use std::collections::HashMap;

use rdkafka::statistics::ConsumerGroup;

use super::*;

/// Statistics with this many responses of the coordinator, two of which are to other requests.
fn statistics(state: &str, responses: u64) -> Statistics {
    let req = HashMap::from([("ApiVersion".to_owned(), 1), ("OffsetFetch".to_owned(), 1), ("Fetch".to_owned(), 0)]);
    let coordinator = Broker { rx: responses, req, ..Broker::default() };
    let group = ConsumerGroup { state: state.to_owned(), join_state: "init".to_owned(), ..ConsumerGroup::default() };
    Statistics {
        brokers: HashMap::from([(COORDINATOR.to_owned(), coordinator)]),
        cgrp: Some(group),
        ..Statistics::default()
    }
}

fn certain(acceptance: &mut Acceptance, state: &str, responses: u64) -> bool {
    acceptance.hear(&statistics(state, responses));
    acceptance.is_certain()
}

#[test]
fn a_member_is_accepted_once_two_heartbeats_were_answered() {
    let mut acceptance = Acceptance::new(GroupProtocol::Consumer);
    for (state, responses, expected) in
        [("wait-coord", 0, false), ("up", 2, false), ("up", 3, false), ("wait-broker", 4, false), ("up", 4, true)]
    {
        assert_eq!(certain(&mut acceptance, state, responses), expected, "{state} {responses}");
    }
}

#[test]
fn after_trouble_it_takes_longer() {
    let mut acceptance = Acceptance::new(GroupProtocol::Consumer);
    assert!(certain(&mut acceptance, "up", 5));
    acceptance.doubt();
    assert!(!certain(&mut acceptance, "up", 8));
    assert!(certain(&mut acceptance, "up", 9));
}

#[test]
fn with_the_classic_protocol_only_an_assignment_counts() {
    assert!(!certain(&mut Acceptance::new(GroupProtocol::Classic), "up", 100));
}
