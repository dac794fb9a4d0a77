//! The topics that a connector writes to.

use super::ConnectorConfig;
use crate::config::WorkerConfig;
use crate::model::OutputId;

/// A topic that a connector writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectorTopic<'a> {
    /// The output that is written to it.
    pub output: OutputId,
    /// The topic's name.
    pub name: &'a str,
    /// The setting that names it.
    pub setting: &'static str,
    /// Whether the setting is the worker's, so that all connectors share the topic.
    pub is_workers: bool,
}

/// Returns the topics that a connector on this worker writes to, beginning with that of the fragments; without a
/// worker, only those that its own settings name.
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
    let frames = connector.frames.as_ref().map(|frames| ConnectorTopic {
        output: OutputId::FRAMES,
        name: &frames.topic,
        setting: "frames.topic",
        is_workers: false,
    });
    std::iter::once(own).chain(metadata).chain(frames).chain(notifications).collect()
}
