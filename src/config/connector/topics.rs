//! The topics that a connector writes to: one list, for whoever asks.

use super::ConnectorConfig;
use crate::config::WorkerConfig;
use crate::model::OutputId;

/// A topic that a connector writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectorTopic<'a> {
    /// The output that is written there.
    pub output: OutputId,
    /// Name of the topic.
    pub name: &'a str,
    /// The setting that names it.
    pub setting: &'static str,
    /// Whether that is a setting of the worker, so that all connectors share the topic.
    pub is_workers: bool,
}

/// Returns the topics that a connector on this worker writes to, the fragments' first; without a worker those that its own
/// settings name.
pub fn topics<'a>(worker: Option<&'a WorkerConfig>, connector: &'a ConnectorConfig) -> Vec<ConnectorTopic<'a>> {
    let own =
        ConnectorTopic { output: OutputId::FRAGMENTS, name: &connector.topic, setting: "topic", is_workers: false };
    let notifications = worker.map(|worker| ConnectorTopic {
        output: OutputId::NOTIFICATIONS,
        name: &worker.notifications_topic,
        setting: "notifications.topic",
        is_workers: true,
    });
    let metadata = connector.metadata_topic.as_deref().map(|name| ConnectorTopic {
        output: OutputId::METADATA,
        name,
        setting: "metadata.topic",
        is_workers: false,
    });
    std::iter::once(own).chain(metadata).chain(notifications).collect()
}
