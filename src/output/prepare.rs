//! Prepares outputs from settings: topics are created or checked, and schemas compiled. This happens when a connector
//! is prepared, never while fragments are written.

use std::collections::HashMap;
use std::sync::Arc;

use super::framing::SchemaError;
use super::kind::{Output, OutputKind, OutputSettings, OutputTopic, Outputs, SettingMismatch};
use super::kinds::KINDS;
use crate::config::connector::topics::{ConnectorTopic, topics};
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::kafka::topics::TopicPlan;
use crate::kafka::{DataTopic, DataTopics, TopicError, TopicFacts, Topics};
use crate::model::OnRefused;

/// Reasons why a connector's outputs cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A topic cannot be created or looked up.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// A topic does not accept the connector's records.
    #[error(transparent)]
    Mismatch(#[from] SettingMismatch),
    /// A built-in schema cannot be compiled.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

/// Prepares the outputs of a worker's connectors.
pub struct Preparer {
    config: Arc<WorkerConfig>,
    topics: Arc<Topics>,
    data_topics: Arc<DataTopics>,
    /// The worker's topics, which its connectors share. Each is created or checked when first needed, and again when it
    /// is gone.
    shared: tokio::sync::Mutex<HashMap<String, (TopicFacts, Arc<DataTopic>)>>,
}

/// Returns topics with the kinds of their outputs, in the order in which outputs are called. Those whose records may be
/// dropped come first, so that their problems are logged even if another topic keeps the connector from starting.
fn in_order(topics: Vec<ConnectorTopic<'_>>) -> impl Iterator<Item = (&'static dyn OutputKind, ConnectorTopic<'_>)> {
    KINDS.iter().flat_map(move |kind| {
        let of_kind = topics.iter().copied().filter(|topic| topic.output == kind.id()).collect::<Vec<_>>();
        of_kind.into_iter().map(|topic| (*kind, topic))
    })
}

impl Preparer {
    /// Creates a preparer with this worker's settings.
    pub fn new(config: Arc<WorkerConfig>, topics: Arc<Topics>, data_topics: Arc<DataTopics>) -> Self {
        Self { config, topics, data_topics, shared: tokio::sync::Mutex::default() }
    }

    /// Creates or checks the topics of a connector, and returns its outputs.
    ///
    /// # Errors
    /// Those of [`PrepareError`]. A topic whose records may be dropped causes no error, only a log line.
    pub async fn prepare(&self, connector: &ConnectorConfig) -> Result<Outputs, PrepareError> {
        let settings = OutputSettings { worker: &self.config, connector };
        let mut outputs: Vec<Arc<dyn Output>> = Vec::new();
        for (kind, topic) in in_order(topics(Some(&self.config), connector)) {
            let plan = kind.topic_plan(topic.name, &settings);
            let (facts, partitions) = match self.topic(&topic, &plan).await {
                Ok(found) => found,
                Err(error) if kind.on_refused() == OnRefused::Drop => {
                    tracing::warn!(%error, "{} cannot be used; records for it are dropped", topic.setting);
                    (TopicFacts::default(), Arc::new(DataTopic::new(topic.name, 1)))
                }
                Err(error) => return Err(error.into()),
            };
            kind.check(connector, &facts)?;
            outputs.push(kind.open(connector, OutputTopic { name: topic.name.into(), partitions }, &facts)?);
        }
        Ok(Outputs::new(outputs))
    }

    async fn topic(
        &self,
        topic: &ConnectorTopic<'_>,
        plan: &TopicPlan,
    ) -> Result<(TopicFacts, Arc<DataTopic>), TopicError> {
        let ensure = async || {
            let facts = self.topics.ensure(plan).await?;
            let partitions = self.data_topics.topic(&plan.name, facts.partitions);
            Ok((facts, partitions))
        };
        if !topic.is_workers {
            return ensure().await;
        }
        let mut shared = self.shared.lock().await;
        if let Some(known) = shared.get(&plan.name).filter(|(_, partitions)| partitions.count().is_ok()) {
            return Ok(known.clone());
        }
        let found = ensure().await?;
        shared.insert(plan.name.clone(), found.clone());
        Ok(found)
    }

    /// Returns what preparing a connector would find wrong with its own topics, as setting and reason. The topics are
    /// looked up, not created.
    pub async fn problems(&self, connector: &ConnectorConfig) -> Vec<(String, String)> {
        let settings = OutputSettings { worker: &self.config, connector };
        let mut problems = Vec::new();
        let own = in_order(topics(Some(&self.config), connector)).filter(|(_, topic)| !topic.is_workers);
        for (kind, topic) in own {
            let plan = kind.topic_plan(topic.name, &settings);
            let facts = match self.topics.look(&plan).await {
                Ok(Some(facts)) => facts,
                // The topic would be created with the planned configuration.
                Ok(None) => TopicFacts { partitions: plan.partitions, config: plan.config.clone(), created: true },
                Err(TopicError::Refused { faults, .. }) => {
                    problems.extend(faults.into_iter().map(|fault| (fault.key, fault.reason)));
                    continue;
                }
                Err(error) => {
                    problems.push((plan.settings.name.to_owned(), error.to_string()));
                    continue;
                }
            };
            if let Err(SettingMismatch { setting, reason }) = kind.check(connector, &facts) {
                problems.push((setting.to_owned(), reason));
            }
        }
        problems
    }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
