//! From settings to outputs: topics made or checked, schemas compiled. Asked when a connector is prepared, never while
//! fragments are written.

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

/// Why a connector's outputs cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A topic cannot be made or looked at.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// A topic does not take what the connector writes.
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
    /// Topics of the worker, which its connectors share: made or checked when one is first needed, and again when it is gone.
    shared: tokio::sync::Mutex<HashMap<String, (TopicFacts, Arc<DataTopic>)>>,
}

/// Returns the kind of an output, which every listed topic has: a test asks.
fn kind_of(topic: &ConnectorTopic<'_>) -> Option<&'static dyn OutputKind> {
    KINDS.iter().copied().find(|kind| kind.id() == topic.output)
}

impl Preparer {
    /// Returns what prepares outputs by this worker's settings.
    pub fn new(config: Arc<WorkerConfig>, topics: Arc<Topics>, data_topics: Arc<DataTopics>) -> Self {
        Self { config, topics, data_topics, shared: tokio::sync::Mutex::default() }
    }

    /// Returns the outputs of a connector, with their topics made or checked.
    ///
    /// # Errors
    /// As [`PrepareError`] says. A topic whose records may be dropped is no reason: it is told in the log.
    pub async fn prepare(&self, connector: &ConnectorConfig) -> Result<Outputs, PrepareError> {
        let settings = OutputSettings { worker: &self.config, connector };
        let mut outputs: Vec<(usize, Arc<dyn Output>)> = Vec::new();
        for topic in topics(Some(&self.config), connector) {
            let Some(kind) = kind_of(&topic) else { continue };
            let plan = kind.topic_plan(topic.name, &settings);
            let (facts, partitions) = match self.topic(&topic, &plan).await {
                Ok(found) => found,
                Err(error) if kind.on_refused() == OnRefused::Drop => {
                    tracing::warn!(%error, "{} cannot be used: what would be written there is dropped", topic.setting);
                    (TopicFacts::default(), Arc::new(DataTopic::new(topic.name, 1)))
                }
                Err(error) => return Err(error.into()),
            };
            kind.check(connector, &facts)?;
            let output = kind.open(connector, OutputTopic { name: topic.name.into(), partitions }, &facts)?;
            let order = KINDS.iter().position(|known| known.id() == kind.id()).unwrap_or_default();
            outputs.push((order, output));
        }
        outputs.sort_by_key(|(order, _)| *order);
        Ok(Outputs::new(outputs.into_iter().map(|(_, output)| output)))
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

    /// Returns what preparing a connector would find wrong with the topics of its own, which are looked at and not made: setting
    /// and reason.
    pub async fn problems(&self, connector: &ConnectorConfig) -> Vec<(String, String)> {
        let settings = OutputSettings { worker: &self.config, connector };
        let mut problems = Vec::new();
        for topic in topics(Some(&self.config), connector).into_iter().filter(|topic| !topic.is_workers) {
            let Some(kind) = kind_of(&topic) else { continue };
            let plan = kind.topic_plan(topic.name, &settings);
            let facts = match self.topics.look(&plan).await {
                Ok(Some(facts)) => facts,
                // It would be made with the configuration that is planned.
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
