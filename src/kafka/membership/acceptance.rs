//! Recognises that the group has accepted a member to which it assigns no shards.
//!
//! With `group.protocol=consumer` Kafka's client calls nobody back for an assignment that is empty from the beginning: it
//! is no change (librdkafka 2.12, `rd_kafka_cgrp_consumer_is_new_assignment_different`), and the join state of the
//! statistics remains "init". What remains are the coordinator's responses to heartbeats. The statistics leave those
//! out of the counts by type, so that they are what is missing there.

use rdkafka::statistics::{Broker, Statistics};

use crate::kafka::settings::GroupProtocol;

/// The name of the group's coordinator in the statistics of Kafka's client.
pub(super) const COORDINATOR: &str = "GroupCoordinator";
/// The state of a client that has a coordinator and a connection to it.
const UP: &str = "up";
/// The number of answered heartbeats after which a new member counts as accepted, if nothing was refused: the client sends the
/// second one an interval after the first was accepted.
const FIRST: i64 = 2;
/// The number of further ones after trouble: statistics may be a second old, and the client does not report every refusal.
const AFTER_TROUBLE: i64 = 4;

/// What is known of a member's heartbeats.
#[derive(Debug)]
pub(super) struct Acceptance {
    protocol: GroupProtocol,
    /// The number of heartbeats that were answered, at least.
    answered: i64,
    /// The number from which on the member counts as accepted.
    needed: i64,
    is_up: bool,
}

impl Acceptance {
    /// Knows of no heartbeat yet.
    pub(super) fn new(protocol: GroupProtocol) -> Self {
        Self { protocol, answered: 0, needed: FIRST, is_up: false }
    }

    /// Learns from the client's statistics.
    pub(super) fn hear(&mut self, statistics: &Statistics) {
        self.is_up = statistics.cgrp.as_ref().is_some_and(|group| group.state == UP);
        if let Some(coordinator) = statistics.brokers.get(COORDINATOR) {
            self.answered = self.answered.max(heartbeats(coordinator));
        }
    }

    /// Starts over: heartbeats may have been refused, or the assignment was lost.
    pub(super) fn doubt(&mut self) {
        self.needed = self.answered.saturating_add(AFTER_TROUBLE);
    }

    /// Returns whether the group has accepted the member, whatever shards it assigns to it. With the classic protocol the
    /// assignment itself says so.
    pub(super) fn is_certain(&self) -> bool {
        self.protocol == GroupProtocol::Consumer && self.is_up && self.answered >= self.needed
    }
}

/// Returns how many heartbeats a coordinator has answered, at least: the responses that are to no other request.
fn heartbeats(coordinator: &Broker) -> i64 {
    let others = coordinator.req.values().fold(0_i64, |sum, count| sum.saturating_add(*count));
    i64::try_from(coordinator.rx).unwrap_or(i64::MAX).saturating_sub(others)
}

#[cfg(test)]
#[path = "acceptance_tests.rs"]
mod tests;
