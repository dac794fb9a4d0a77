//! The phases of a worker's life, and what exists in each.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::config::ConnectorConfig;

/// The phase of a worker's life. A worker goes through the phases in this order and never back.
#[derive(Clone)]
pub(crate) enum Phase {
    /// The worker waits for Kafka, and creates or checks its topics. Nothing is known of its group.
    Starting {
        /// The id of the Kafka cluster, once Kafka has responded.
        cluster_id: Option<String>,
        /// What the worker waits for, if that takes long.
        waiting: Option<String>,
    },
    /// The worker has read both logs and joins its group. It has had no assignment yet, not even an empty one.
    Joining(Arc<dyn Member>),
    /// The worker is a member of its group.
    Running(Arc<dyn Member>),
    /// The worker commits complete fragments and leaves the group. It still serves requests from what it has read.
    Stopping(Arc<dyn Member>),
}

impl Phase {
    /// Returns the id of the Kafka cluster, once it is known.
    pub(crate) fn cluster_id(&self) -> Option<&str> {
        match self {
            Self::Starting { cluster_id, .. } => cluster_id.as_deref(),
            Self::Joining(member) | Self::Running(member) | Self::Stopping(member) => member.cluster_id(),
        }
    }

    /// Returns whether the worker has become a member of its group, so that it may serve requests for the group.
    pub(crate) fn is_member(&self) -> bool {
        matches!(self, Self::Running(_) | Self::Stopping(_))
    }

    /// Returns the worker as a member, if it joins its group or has joined it.
    pub(crate) fn member(&self) -> Option<&Arc<dyn Member>> {
        match self {
            Self::Starting { .. } => None,
            Self::Joining(member) | Self::Running(member) | Self::Stopping(member) => Some(member),
        }
    }

    /// Returns what keeps the worker from becoming a member of its group, if that is known.
    pub(crate) fn waits_for(&self) -> Option<String> {
        match self {
            Self::Starting { waiting, .. } => waiting.clone(),
            Self::Joining(member) => member.apart(),
            Self::Running(_) | Self::Stopping(_) => None,
        }
    }

    /// Notes what a starting worker waits for.
    pub(crate) fn wait_for(&mut self, what: Option<String>) {
        if let Self::Starting { waiting, .. } = self {
            *waiting = what;
        }
    }

    /// Moves on from joining, on the first assignment. Returns whether it was the first.
    pub(crate) fn joined(&mut self) -> bool {
        let Self::Joining(member) = self else { return false };
        *self = Self::Running(Arc::clone(member));
        true
    }

    /// Moves on to stopping, if the worker has joined or was about to.
    pub(crate) fn stop(&mut self) {
        if let Some(member) = self.member() {
            *self = Self::Stopping(Arc::clone(member));
        }
    }
}

/// What a herder asks of its worker as a member of the group.
pub(crate) trait Member: Send + Sync {
    /// Returns the id of the Kafka cluster, if it has one.
    fn cluster_id(&self) -> Option<&str>;

    /// Returns why the group cannot be joined or reached; `None` while it can.
    fn apart(&self) -> Option<String>;

    /// Returns why this worker does not do its part for its group, if that has lasted longer than a takeover takes.
    fn standing_still(&self) -> Option<String>;

    /// Returns how many bytes of the memory budget are in use.
    fn budget_used_bytes(&self) -> usize;

    /// Tries a connector's settings with the service and Kafka. Returns each setting that is wrong, with the reason.
    fn try_connections<'a>(&'a self, connector: &'a ConnectorConfig) -> BoxFuture<'a, Vec<(String, String)>>;
}

#[cfg(test)]
#[path = "phase_tests.rs"]
mod tests;
