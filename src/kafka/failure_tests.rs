#![allow(clippy::unwrap_used)]

use std::net::TcpListener;

use kvs_harness::wait_for;

use super::*;
use crate::kafka::client_config;

#[test]
fn a_broker_that_cannot_be_reached_is_named_with_the_reason() {
    // An address at which nobody listens.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client: BaseConsumer<FailureContext> = client_config()
        .set("bootstrap.servers", address.to_string())
        .create_with_context(FailureContext::default())
        .unwrap();
    let mut reason = None;
    wait_for("the connection to fail", || {
        let _ = client.fetch_metadata(Some("topic"), Duration::from_millis(200));
        reason = last_failure(&client);
        reason.is_some()
    });
    let reason = reason.unwrap();
    assert!(reason.contains(&address.to_string()) && reason.contains("Connection refused"), "{reason}");
}

#[test]
fn the_last_failure_of_a_connection_is_remembered_within_bounds() {
    let context = FailureContext::default();
    let global = KafkaError::Global;
    context.note(&global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
    assert_eq!(context.last(), None);
    context.note(&global(RDKafkaErrorCode::Authentication), " k:1/bootstrap: wrong password (after 3ms) ");
    context.note(&global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
    assert_eq!(context.last().unwrap(), "k:1/bootstrap: wrong password (after 3ms)");
    context.note(&global(RDKafkaErrorCode::Authentication), &"x".repeat(2 * REASON_CHARS_MAX));
    assert_eq!(context.last().unwrap().len(), REASON_CHARS_MAX);
}
