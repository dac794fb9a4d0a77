//! Which topics are compared, and what their settings mean for what is missing.

use crate::cli::brokers;
use crate::cli::failure::{EXIT_UNAVAILABLE, Failure};
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::kafka::{KafkaSettings, Topics};
use crate::model::Template;
use crate::worker::plan;

/// Returns the topics that have the connector's fragments, or their metadata.
pub(super) fn of(connector: &ConnectorConfig, existing: &[String], deep: bool) -> Result<Vec<String>, Failure> {
    let metadata = connector.metadata_topic.as_ref().filter(|_| !deep);
    let template = metadata.unwrap_or(&connector.topic);
    if let Some(topic) = template.fixed() {
        return Ok(vec![topic.to_owned()]);
    }
    // A name that two templates lead to belongs to the one with more text of its own.
    let others = [Some(&connector.topic), connector.metadata_topic.as_ref(), connector.payload.chunk_topic.as_ref()];
    let frames = connector.frames.as_ref().map(|frames| &frames.topic);
    let others: Vec<&Template> =
        others.into_iter().chain([frames]).flatten().filter(|other| *other != template).collect();
    let is_ours = |name: &&String| {
        let Ok(name) = Template::parse(name) else { return false };
        let closer = |other: &&Template| other.may_meet(&name) && other.literals_bytes() > template.literals_bytes();
        template.may_meet(&name) && !others.iter().any(closer)
    };
    let found: Vec<String> = existing.iter().filter(is_ours).cloned().collect();
    if found.is_empty() {
        let line = format!("no topic has a name as of {:?}: nothing has been published", template.text());
        return Err(Failure::new(EXIT_UNAVAILABLE, line));
    }
    Ok(found)
}

/// Returns the names of all topics.
pub(super) fn existing(worker: &WorkerConfig) -> Result<Vec<String>, Failure> {
    let names = brokers::topic_names(&brokers::connect(worker)?);
    names.map_err(|error| Failure::new(EXIT_UNAVAILABLE, format!("the list of topics: {error}")))
}

/// Whether one of the topics is compacted. Kafka is asked when somebody wants to know.
pub(super) struct Compaction {
    settings: KafkaSettings,
    topics: Vec<String>,
    known: Option<bool>,
}

impl Compaction {
    pub(super) fn new(worker: &WorkerConfig, topics: &[String]) -> Self {
        Self { settings: plan::kafka_settings(worker), topics: topics.to_vec(), known: None }
    }

    /// Returns whether one is, if this user may see that.
    pub(super) fn is_compacted(&mut self, runtime: &tokio::runtime::Runtime) -> bool {
        let Self { settings, topics, known } = self;
        *known.get_or_insert_with(|| {
            let Ok(kafka) = Topics::new(settings) else { return false };
            let policy = |topic: &String| runtime.block_on(kafka.cleanup_policy(topic)).ok().flatten();
            topics.iter().any(|topic| policy(topic).is_some_and(|policy| policy.contains("compact")))
        })
    }
}
