//! Prepares outputs from settings: topics are created or checked, and schemas compiled. This happens when a connector
//! is prepared, never while fragments are written.

use std::collections::HashMap;
use std::sync::Arc;

use super::framing::{Framing, SchemaError};
use super::kind::{Output, OutputKind, OutputSchemas, OutputSettings, OutputTopic, Outputs, SettingMismatch};
use super::kinds::KINDS;
use super::schema::BuiltInSchema;
use crate::config::connector::topics::{ConnectorTopic, topics};
use crate::config::table::registry::URL as SCHEMA_REGISTRY_URL;
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::kafka::topics::TopicPlan;
use crate::kafka::{DataTopic, DataTopics, TopicError, TopicFacts, Topics};
use crate::model::OnRefused;
use crate::registry::{self, KnownIds, RegistryConfig, RegistryError, SubjectNames, Wanted};

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
    /// The schema registry gives no id for a schema.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Prepares the outputs of a worker's connectors.
pub struct Preparer {
    config: Arc<WorkerConfig>,
    topics: Arc<Topics>,
    data_topics: Arc<DataTopics>,
    /// The worker's topics, which its connectors share. Each is created or checked when first needed, and again when it
    /// is gone.
    shared: tokio::sync::Mutex<HashMap<String, (TopicFacts, Arc<DataTopic>)>>,
    /// The ids of schemas that registries have given.
    ids: KnownIds,
}

/// Returns the schemas of an output with their subjects in a registry: the key's first.
fn wanted(registry: &RegistryConfig, schemas: OutputSchemas, topic: &str) -> Vec<Wanted> {
    let wanted = |subject, schema: &BuiltInSchema| Wanted { subject, file: schema.file, text: schema.text };
    let key = schemas.key.map(|schema| wanted(SubjectNames::of_key(topic), schema));
    let value = schemas.value.map(|schema| wanted(registry.value_subjects.of_value(topic, schema.full_name), schema));
    key.into_iter().chain(value).collect()
}

/// Returns the registry that has the schemas of a topic: of a topic that all connectors share, the worker's, so that there is
/// one framing in it.
fn registry_of(
    worker: Option<&WorkerConfig>,
    connector: &ConnectorConfig,
    topic: &ConnectorTopic<'_>,
) -> Option<RegistryConfig> {
    if topic.is_workers { worker?.registry() } else { connector.converters.registry.clone() }
}

/// Returns the schemas of all outputs of a connector with their registries and subjects; without a worker, of its own topics
/// only.
pub(crate) fn subjects(
    worker: Option<&WorkerConfig>,
    connector: &ConnectorConfig,
) -> Vec<(RegistryConfig, Vec<Wanted>)> {
    let mut subjects: Vec<(RegistryConfig, Vec<Wanted>)> = Vec::new();
    for (kind, topic) in in_order(topics(worker, connector)) {
        let Some(registry) = registry_of(worker, connector, &topic) else { continue };
        let wanted = wanted(&registry, kind.schemas(connector), topic.name);
        match subjects.iter_mut().find(|(known, _)| *known == registry) {
            Some((_, all)) => all.extend(wanted),
            None => subjects.push((registry, wanted)),
        }
    }
    subjects
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
        Self { config, topics, data_topics, shared: tokio::sync::Mutex::default(), ids: KnownIds::default() }
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
            let framing = match self.framing(connector, kind, &topic).await {
                Ok(framing) => framing,
                // A registry that cannot be used keeps the other outputs from being opened, too.
                Err(error) if kind.on_refused() == OnRefused::Drop && !error.is_absence() => {
                    tracing::warn!(connector = connector.name, %error,
                        "{} cannot be used; records for it are dropped until the connector starts again", topic.setting);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            outputs.push(kind.open(connector, OutputTopic { name: topic.name.into(), partitions }, framing, &facts)?);
        }
        Ok(Outputs::new(outputs))
    }

    /// Returns how an output names its schemas: their ids are looked up, and they are registered if necessary.
    async fn framing(
        &self,
        connector: &ConnectorConfig,
        kind: &dyn OutputKind,
        topic: &ConnectorTopic<'_>,
    ) -> Result<Framing, RegistryError> {
        let Some(registry) = registry_of(Some(&self.config), connector, topic) else {
            return Ok(Framing::SingleObject);
        };
        let schemas = kind.schemas(connector);
        let mut ids = self.ids.ids(&registry, &wanted(&registry, schemas, topic.name)).await?.into_iter();
        let (key, value) = (schemas.key.and_then(|_| ids.next()), schemas.value.and_then(|_| ids.next()));
        Ok(Framing::Registry { key, value })
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

    /// Returns what preparing a connector would find wrong with its own topics and with the schema registry, as setting and
    /// reason. Topics are looked up, not created, and no schema is registered.
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
        for (registry, wanted) in subjects(Some(&self.config), connector) {
            if let Err(error) = registry::check(&registry, &wanted).await {
                problems.push((SCHEMA_REGISTRY_URL.name().to_owned(), error.to_string()));
            }
        }
        problems
    }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
mod tests;
