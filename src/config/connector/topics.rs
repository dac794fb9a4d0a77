//! The topics that a connector writes to.

use super::ConnectorConfig;
use crate::config::WorkerConfig;
use crate::model::{OutputId, Template};

/// A topic that a connector writes to, or several with a template for their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectorTopic<'a> {
    /// The output that is written to it.
    pub output: OutputId,
    /// The topic's name.
    pub name: TopicName<'a>,
    /// The setting that names it.
    pub setting: &'static str,
    /// Whether the setting is the worker's, so that all connectors share the topic.
    pub is_workers: bool,
}

/// The name of a topic in settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicName<'a> {
    /// It is always this one.
    Fixed(&'a str),
    /// It depends on the stream or on the fragment.
    Template(&'a Template),
}

impl<'a> TopicName<'a> {
    fn of(template: &'a Template) -> Self {
        template.fixed().map_or(Self::Template(template), Self::Fixed)
    }

    /// Returns the name if it is always the same.
    pub fn fixed(self) -> Option<&'a str> {
        match self {
            Self::Fixed(name) => Some(name),
            Self::Template(_) => None,
        }
    }

    /// Returns the name, or its template.
    pub fn text(self) -> &'a str {
        match self {
            Self::Fixed(name) => name,
            Self::Template(template) => template.text(),
        }
    }
}

/// Returns the topics that a connector on this worker writes to, beginning with that of the fragments; without a
/// worker, only those that its own settings name.
pub fn topics<'a>(worker: Option<&'a WorkerConfig>, connector: &'a ConnectorConfig) -> Vec<ConnectorTopic<'a>> {
    let own = |output, name, setting| ConnectorTopic { output, name, setting, is_workers: false };
    let named = |output, template, setting| own(output, TopicName::of(template), setting);
    let fragments = named(OutputId::FRAGMENTS, &connector.topic, "topic");
    let metadata = connector.metadata_topic.as_ref().map(|topic| named(OutputId::METADATA, topic, "metadata.topic"));
    let frames = connector.frames.as_ref().map(|frames| named(OutputId::FRAMES, &frames.topic, "frames.topic"));
    let chunks = connector.payload.chunk_topic.as_ref();
    let chunks = chunks.map(|topic| named(OutputId::CHUNKS, topic, "payload.chunk.topic"));
    let dead_letters = connector.dead_letters.as_ref().map(|letters| {
        own(OutputId::DEAD_LETTERS, TopicName::Fixed(&letters.topic), "errors.deadletterqueue.topic.name")
    });
    let notifications = worker.map(|worker| ConnectorTopic {
        output: OutputId::NOTIFICATIONS,
        name: TopicName::Fixed(&worker.notifications_topic),
        setting: "notifications.topic",
        is_workers: true,
    });
    let more = [metadata, frames, chunks, dead_letters, notifications];
    std::iter::once(fragments).chain(more.into_iter().flatten()).collect()
}

/// Returns the topics that a template must not lead to, each with what it is for.
pub fn taken(worker: &WorkerConfig, connector: &ConnectorConfig) -> Vec<(String, String)> {
    let storage = [
        ("offset.storage.topic", worker.offsets_topic.as_str()),
        ("config.storage.topic", &worker.config_topic),
        ("status.storage.topic", &worker.status_topic),
    ];
    let of_worker = storage.into_iter().map(|(setting, name)| (name.to_owned(), format!("the worker's {setting}")));
    let own_offsets = connector.offsets_topic.iter();
    let own_offsets = own_offsets.map(|name| (name.clone(), "the connector's offsets.storage.topic".to_owned()));
    let written = topics(Some(worker), connector).into_iter().filter_map(|topic| {
        let whose = if topic.is_workers { "worker's" } else { "connector's" };
        topic.name.fixed().map(|name| (name.to_owned(), format!("the {whose} {}", topic.setting)))
    });
    of_worker.chain(own_offsets).chain(written).collect()
}
