//! Prepares outputs from settings: topics are created or checked, and schemas compiled. This happens when a connector
//! is prepared, never while fragments are written.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::error::OpenError;
use super::framing::{Framing, SchemaError};
use super::kind::{Output, OutputKind, OutputSchemas, OutputSettings, OutputTopic, SettingMismatch};
use super::kinds::KINDS;
use super::payloads::Payloads;
use super::route::{NamedTopics, OpenTopic, OpenedTopics, Outputs, Route, Taken};
use super::schema::BuiltInSchema;
use crate::config::connector::group_topics::GroupTopics;
use crate::config::connector::topics::{ConnectorTopic, TopicName, taken, topics};
use crate::config::table::registry::URL as SCHEMA_REGISTRY_URL;
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::kafka::topics::TopicPlan;
use crate::kafka::{DataTopic, DataTopics, TopicError, TopicFacts, Topics};
use crate::model::{OnRefused, PayloadMode};
use crate::payload_store::{AwsCredentials, PayloadStore, StoreError};
use crate::registry::{self, KnownIds, RegistryConfig, RegistryError, SubjectNames, Wanted};
use crate::supervision::{Part, blocking};

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
    /// The store of payloads cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The schema registry gives no id for a schema.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Prepares the outputs of a worker's connectors.
#[derive(Clone)]
pub struct Preparer(Arc<Inner>);

struct Inner {
    config: Arc<WorkerConfig>,
    topics: Arc<Topics>,
    data_topics: Arc<DataTopics>,
    /// The worker's topics, which its connectors share. Each is created or checked when first needed, and again when it
    /// is gone.
    shared: tokio::sync::Mutex<HashMap<String, (TopicFacts, Arc<DataTopic>)>>,
    /// The ids of schemas that registries have given.
    ids: KnownIds,
    /// The topics of the group's connectors.
    group: GroupTopics,
}

/// Opens the topics that a connector's templates lead to.
struct Opener {
    preparer: Preparer,
    connector: ConnectorConfig,
}

impl OpenTopic for Opener {
    fn open<'a>(
        &'a self,
        kind: &'static dyn OutputKind,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn Output>, OpenError>> {
        Box::pin(async move {
            let settings = OutputSettings { worker: &self.preparer.0.config, connector: &self.connector };
            let plan = kind.topic_plan(name, &settings);
            let (facts, partitions) = self.preparer.ensure(&plan).await?;
            if facts.created {
                tracing::info!(connector = self.connector.name, topic = name, "created a topic for {}", kind.id());
            }
            // The connector's setting has the template, and there may be many topics.
            let checked = kind.check(&self.connector, &facts);
            checked.map_err(|error| SettingMismatch { reason: format!("{name}: {}", error.reason), ..error })?;
            let registry = self.connector.converters.registry.as_ref();
            let framing = self.preparer.framing(&self.connector, kind, registry, name).await?;
            Ok(kind.open(&self.connector, OutputTopic::new(name, partitions, &facts), framing, &facts)?)
        })
    }
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
        // The subjects of a template's topics are known when the topics are.
        let Some(name) = topic.name.fixed() else { continue };
        let wanted = wanted(&registry, kind.schemas(connector), name);
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
        let (shared, ids) = (tokio::sync::Mutex::default(), KnownIds::default());
        Self(Arc::new(Inner { config, topics, data_topics, shared, ids, group: GroupTopics::default() }))
    }

    /// Returns the topics of the group's connectors, which no template of another one leads to.
    pub fn group_topics(&self) -> &GroupTopics {
        &self.0.group
    }

    /// Creates or checks the topics of a connector, and returns its outputs. Topics that templates lead to are opened when
    /// fragments need them.
    ///
    /// # Errors
    /// Those of [`PrepareError`]. A topic whose records may be dropped causes no error, only a log line.
    pub async fn prepare(
        &self,
        connector: &ConnectorConfig,
        credentials: Arc<dyn AwsCredentials>,
    ) -> Result<Outputs, PrepareError> {
        let config = &self.0.config;
        let store = match connector.payload.store.clone() {
            None => None,
            // Opening a store reads files of certificates, and creates a folder.
            Some(store) => Some(blocking(Part::Connector, move || PayloadStore::open(&store, credentials)).await?),
        };
        let settings = OutputSettings { worker: config, connector };
        let opener = Opener { preparer: self.clone(), connector: connector.clone() };
        let templates = topics(Some(config), connector).into_iter().filter_map(|topic| match topic.name {
            TopicName::Template(template) => Some((topic.setting, template.clone())),
            TopicName::Fixed(_) => None,
        });
        let taken = Taken {
            connector: connector.name.clone(),
            topics: taken(config, connector),
            templates: templates.collect(),
            group: self.0.group.clone(),
        };
        let opened = OpenedTopics::new(Box::new(opener), taken, connector.routing.topics_max);
        let opened = Arc::new(opened);
        let mut routes: Vec<Route> = Vec::new();
        for (kind, topic) in in_order(topics(Some(config), connector)) {
            let name = match topic.name {
                TopicName::Fixed(name) => name,
                TopicName::Template(template) => {
                    let (setting, template, opened) = (topic.setting, template.clone(), Arc::clone(&opened));
                    routes.push(Route::Named(NamedTopics { kind, setting, template, opened }));
                    continue;
                }
            };
            let plan = kind.topic_plan(name, &settings);
            let (facts, partitions) = match self.topic(&topic, &plan).await {
                Ok(found) => found,
                Err(error) if kind.on_refused() == OnRefused::Drop => {
                    tracing::warn!(%error, "{} cannot be used; records for it are dropped", topic.setting);
                    (TopicFacts::default(), Arc::new(DataTopic::new(name, 1)))
                }
                Err(error) => return Err(error.into()),
            };
            kind.check(connector, &facts)?;
            let registry = registry_of(Some(config), connector, &topic);
            let framing = match self.framing(connector, kind, registry.as_ref(), name).await {
                Ok(framing) => framing,
                // A registry that cannot be used keeps the other outputs from being opened, too.
                Err(error) if kind.on_refused() == OnRefused::Drop && !error.is_absence() => {
                    tracing::warn!(connector = connector.name, %error,
                        "{} cannot be used; records for it are dropped until the connector starts again", topic.setting);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let output = kind.open(connector, OutputTopic::new(name, partitions, &facts), framing, &facts)?;
            routes.push(Route::Fixed(output));
        }
        let payload = &connector.payload;
        let payloads = (payload.mode != PayloadMode::Inline).then(|| Payloads::new(payload.clone(), store));
        Ok(Outputs::of_routes(routes, Some(connector.routing.clone()), payloads))
    }

    /// Returns how an output to a topic names its schemas: their ids are looked up, and they are registered if necessary.
    async fn framing(
        &self,
        connector: &ConnectorConfig,
        kind: &dyn OutputKind,
        registry: Option<&RegistryConfig>,
        topic: &str,
    ) -> Result<Framing, RegistryError> {
        let Some(registry) = registry else { return Ok(Framing::SingleObject) };
        let schemas = kind.schemas(connector);
        let mut ids = self.0.ids.ids(registry, &wanted(registry, schemas, topic)).await?.into_iter();
        let (key, value) = (schemas.key.and_then(|_| ids.next()), schemas.value.and_then(|_| ids.next()));
        Ok(Framing::Registry { key, value })
    }

    async fn ensure(&self, plan: &TopicPlan) -> Result<(TopicFacts, Arc<DataTopic>), TopicError> {
        let facts = self.0.topics.ensure(plan).await?;
        let partitions = self.0.data_topics.topic(&plan.name, facts.partitions, facts.max_message_bytes());
        Ok((facts, partitions))
    }

    async fn topic(
        &self,
        topic: &ConnectorTopic<'_>,
        plan: &TopicPlan,
    ) -> Result<(TopicFacts, Arc<DataTopic>), TopicError> {
        if !topic.is_workers {
            return self.ensure(plan).await;
        }
        let mut shared = self.0.shared.lock().await;
        if let Some(known) = shared.get(&plan.name).filter(|(_, partitions)| partitions.count().is_ok()) {
            return Ok(known.clone());
        }
        let found = self.ensure(plan).await?;
        shared.insert(plan.name.clone(), found.clone());
        Ok(found)
    }

    /// Returns what preparing a connector would find wrong with its own topics and with the schema registry, as setting and
    /// reason. Topics are looked up, not created, and no schema is registered.
    pub async fn problems(&self, connector: &ConnectorConfig) -> Vec<(String, String)> {
        let config = &self.0.config;
        let settings = OutputSettings { worker: config, connector };
        let mut problems = Vec::new();
        let own = in_order(topics(Some(config), connector)).filter(|(_, topic)| !topic.is_workers);
        for (kind, topic) in own {
            let Some(name) = topic.name.fixed() else { continue };
            let plan = kind.topic_plan(name, &settings);
            let facts = match self.0.topics.look(&plan).await {
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
        for (registry, wanted) in subjects(Some(config), connector) {
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
