//! Creates missing topics, and checks existing ones.

mod plan;
mod refusal;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::context::LogContext;
use super::failure::{FailureContext, Unreachable, last_failure};
use super::settings::KafkaSettings;
use crate::supervision::{Part, blocking};
pub use plan::{PlanSettings, TopicPlan};
pub use refusal::Fault;

const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a topic may have no configuration: the broker that is asked may learn of it later than another one.
const CONFIG_TIMEOUT: Duration = Duration::from_secs(5);
/// Requested where only the brokers matter; without a name the response would list all topics.
const NO_TOPIC: &str = "__kvs-connect-probe";

/// The properties of a topic.
#[derive(Debug, Clone, Default)]
pub struct TopicFacts {
    /// The number of its partitions.
    pub partitions: i32,
    /// The effective topic configuration.
    pub config: BTreeMap<String, String>,
    /// Whether it has just been created.
    pub created: bool,
}

impl TopicFacts {
    /// Returns a whole number from the configuration.
    pub fn number(&self, key: &str) -> Option<i64> {
        self.config.get(key)?.parse().ok()
    }

    /// Returns the topic's `max.message.bytes`, if it is known.
    pub fn max_message_bytes(&self) -> Option<usize> {
        self.number("max.message.bytes").and_then(|most| usize::try_from(most).ok())
    }
}

/// Reasons why a topic cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// Kafka cannot be reached, or does not respond.
    #[error("{doing} {name}: {error}")]
    Kafka {
        /// What was being done.
        doing: &'static str,
        /// The topic.
        name: String,
        /// The client's error.
        error: KafkaError,
    },
    /// A permission is missing.
    #[error("{doing} {name}: not authorized; grant {grant} on topic {name}")]
    NotAuthorized {
        /// What was being done.
        doing: &'static str,
        /// The topic.
        name: String,
        /// The operation to grant.
        grant: &'static str,
    },
    /// Kafka refuses to create such a topic.
    #[error("topic {name} cannot be created: {}", join(faults))]
    Refused {
        /// The topic.
        name: String,
        /// What Kafka refuses, at least one.
        faults: Vec<Fault>,
    },
    /// The topic was not created.
    #[error("topic {name} cannot be created: {reason}")]
    Create {
        /// The topic.
        name: String,
        /// The reason.
        reason: String,
    },
}

fn join(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Looks up and creates topics.
pub struct Topics {
    settings: KafkaSettings,
    /// Replaced when it has waited in vain: it keeps asking the broker that was the last known controller, for minutes
    /// after that broker is gone.
    admin: Mutex<Arc<AdminClient<LogContext>>>,
    metadata: Arc<BaseConsumer<FailureContext>>,
}

impl Topics {
    /// Creates a client for topics.
    ///
    /// # Errors
    /// When librdkafka rejects the settings.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let config = settings.admin_config();
        let metadata = Arc::new(config.create_with_context(FailureContext::default())?);
        let admin = Mutex::new(Arc::new(config.create_with_context(LogContext)?));
        Ok(Self { settings: settings.clone(), admin, metadata })
    }

    fn admin(&self) -> Arc<AdminClient<LogContext>> {
        Arc::clone(&self.admin.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the client for the next call if this one got no response.
    fn renew_after(&self, error: &KafkaError) {
        if !matches!(error, KafkaError::AdminOp(_)) {
            return;
        }
        match self.settings.admin_config().create_with_context(LogContext) {
            Ok(admin) => *self.admin.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(admin),
            Err(error) => tracing::debug!(%error, "cannot create a new client for topics; keeping the current one"),
        }
    }

    /// Checks that the cluster responds.
    ///
    /// # Errors
    /// The client's error if it does not, with the reason for which the last connection failed.
    pub async fn reach(&self, timeout: Duration) -> Result<(), Unreachable> {
        let metadata = Arc::clone(&self.metadata);
        let ask = move || {
            let reached = metadata.fetch_metadata(Some(NO_TOPIC), timeout);
            reached.map(|_| ()).map_err(|error| Unreachable { error, reason: last_failure(&metadata) })
        };
        blocking(Part::Topics, ask).await
    }

    /// Returns the cluster's id, if the cluster reports one.
    pub async fn cluster_id(&self) -> Option<String> {
        let metadata = Arc::clone(&self.metadata);
        blocking(Part::Topics, move || metadata.client().fetch_cluster_id(CALL_TIMEOUT)).await
    }

    /// Returns the number of a topic's partitions; `None` if it does not exist.
    ///
    /// # Errors
    /// When the cluster does not respond, or the topic may not be described.
    pub async fn partitions(&self, name: &str) -> Result<Option<i32>, TopicError> {
        const DOING: &str = "looking up topic";
        let metadata = Arc::clone(&self.metadata);
        let topic = name.to_owned();
        let asked = blocking(Part::Topics, move || metadata.fetch_metadata(Some(&topic), CALL_TIMEOUT));
        let kafka = |error| TopicError::Kafka { doing: DOING, name: name.to_owned(), error };
        let answer = asked.await.map_err(kafka)?;
        let Some(topic) = answer.topics().iter().find(|topic| topic.name() == name) else { return Ok(None) };
        match topic.error().map(RDKafkaErrorCode::from) {
            None => Ok(Some(i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX)).filter(|&count| count > 0)),
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => Ok(None),
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Err(TopicError::NotAuthorized { doing: DOING, name: name.to_owned(), grant: "Describe" })
            }
            Some(code) => Err(kafka(KafkaError::MetadataFetch(code))),
        }
    }

    /// Returns a topic's properties, after creating it if it is missing.
    ///
    /// # Errors
    /// When it cannot be looked up or created.
    pub async fn ensure(&self, plan: &TopicPlan) -> Result<TopicFacts, TopicError> {
        let mut created = false;
        let partitions = match self.partitions(&plan.name).await? {
            Some(partitions) => partitions,
            None => {
                self.create(plan).await?;
                created = true;
                self.wait_until_known(&plan.name).await?
            }
        };
        Ok(TopicFacts { partitions, config: self.describe_patiently(&plan.name).await?, created })
    }

    /// Returns a topic's current cleanup.policy; `None` if Kafka does not report it.
    ///
    /// # Errors
    /// When it cannot be looked up.
    pub async fn cleanup_policy(&self, name: &str) -> Result<Option<String>, TopicError> {
        Ok(self.describe(name).await?.remove("cleanup.policy"))
    }

    /// Returns a topic's properties like [`Topics::ensure`], but creates nothing; `None` if it is missing and Kafka would
    /// create it.
    ///
    /// # Errors
    /// Those of [`Topics::ensure`].
    pub async fn look(&self, plan: &TopicPlan) -> Result<Option<TopicFacts>, TopicError> {
        match self.partitions(&plan.name).await? {
            Some(partitions) => {
                let config = self.describe_patiently(&plan.name).await?;
                Ok(Some(TopicFacts { partitions, config, created: false }))
            }
            None => self.request(plan, true).await.map(|()| None),
        }
    }

    async fn create(&self, plan: &TopicPlan) -> Result<(), TopicError> {
        self.request(plan, false).await
    }

    /// Creates a topic, or checks whether it could be created.
    async fn request(&self, plan: &TopicPlan, validate_only: bool) -> Result<(), TopicError> {
        let name = plan.name.as_str();
        match self.answer(plan, &plan.config, validate_only).await? {
            // Another worker was faster.
            Ok(()) | Err(RDKafkaErrorCode::TopicAlreadyExists) => Ok(()),
            Err(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed) => {
                Err(TopicError::NotAuthorized { doing: "creating topic", name: name.to_owned(), grant: "Create" })
            }
            Err(code) => Err(self.refused(plan, code).await),
        }
    }

    /// Returns Kafka's response to a request for a topic with this configuration.
    async fn answer(
        &self,
        plan: &TopicPlan,
        config: &BTreeMap<String, String>,
        validate_only: bool,
    ) -> Result<Result<(), RDKafkaErrorCode>, TopicError> {
        let name = plan.name.as_str();
        let replication = TopicReplication::Fixed(plan.replication_factor);
        let topic = config
            .iter()
            .fold(NewTopic::new(name, plan.partitions, replication), |topic, (key, value)| topic.set(key, value));
        let options = AdminOptions::new().operation_timeout(Some(CALL_TIMEOUT)).request_timeout(Some(CALL_TIMEOUT));
        let options = options.validate_only(validate_only);
        let kafka = |error| TopicError::Kafka { doing: "creating topic", name: name.to_owned(), error };
        let created = self.admin().create_topics(&[topic], &options).await.inspect_err(|error| self.renew_after(error));
        match created.map_err(kafka)?.into_iter().next() {
            Some(Ok(_)) => Ok(Ok(())),
            Some(Err((_, code))) => Ok(Err(code)),
            None => Err(TopicError::Create { name: name.to_owned(), reason: "Kafka returned no result".to_owned() }),
        }
    }

    /// Explains Kafka's error.
    async fn refused(&self, plan: &TopicPlan, code: RDKafkaErrorCode) -> TopicError {
        let name = plan.name.clone();
        let mut faults = Vec::new();
        if code == RDKafkaErrorCode::InvalidConfig {
            faults = self.config_faults(plan).await;
        }
        // Kafka checks the configuration first: the rest may be wrong as well.
        let rest = match faults.is_empty() {
            true => Err(code),
            false => self.answer(plan, &BTreeMap::new(), true).await.unwrap_or(Ok(())),
        };
        if let Err(code) = rest {
            faults.extend(refusal::fault_of(plan, code, self.brokers().await));
        }
        match faults.is_empty() {
            true => TopicError::Create { name, reason: code.to_string() },
            false => TopicError::Refused { name, faults },
        }
    }

    /// Finds which entries of a configuration Kafka refuses, one by one.
    async fn config_faults(&self, plan: &TopicPlan) -> Vec<Fault> {
        let mut refused = BTreeMap::new();
        for (key, value) in &plan.config {
            let alone = BTreeMap::from([(key.clone(), value.clone())]);
            if let Ok(Err(RDKafkaErrorCode::InvalidConfig)) = self.answer(plan, &alone, true).await {
                refused.extend(alone);
            }
        }
        // A topic that exists in any case, before connectors do.
        let known = self.describe(&self.settings.offsets_topic).await.ok().filter(|known| !known.is_empty());
        refusal::config_faults(plan, &refused, known.as_ref())
    }

    /// Returns the number of brokers, if the cluster reports it.
    async fn brokers(&self) -> Option<usize> {
        let metadata = Arc::clone(&self.metadata);
        let ask = move || metadata.fetch_metadata(Some(NO_TOPIC), CALL_TIMEOUT).map(|found| found.brokers().len());
        blocking(Part::Topics, ask).await.ok().filter(|&count| count > 0)
    }

    /// Waits until a new topic is known: not every broker knows it at once.
    async fn wait_until_known(&self, name: &str) -> Result<i32, TopicError> {
        let began = std::time::Instant::now();
        loop {
            if let Some(partitions) = self.partitions(name).await? {
                return Ok(partitions);
            }
            if began.elapsed() > CALL_TIMEOUT {
                let reason = format!("it was created but is not known after {} s", CALL_TIMEOUT.as_secs());
                return Err(TopicError::Create { name: name.to_owned(), reason });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Describes a topic, waiting for a broker that has not yet heard of it and therefore returns no configuration.
    async fn describe_patiently(&self, name: &str) -> Result<BTreeMap<String, String>, TopicError> {
        let began = std::time::Instant::now();
        loop {
            let described = self.describe(name).await;
            let unknown = match &described {
                Ok(config) => config.is_empty(),
                Err(TopicError::Kafka { error: KafkaError::AdminOp(code), .. }) => {
                    matches!(code, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)
                }
                Err(_) => false,
            };
            if !unknown {
                return described;
            }
            if began.elapsed() > CONFIG_TIMEOUT {
                // The client reports no error when this permission is missing.
                let (doing, grant) = ("looking up the configuration of topic", "DescribeConfigs");
                return described.and(Err(TopicError::NotAuthorized { doing, name: name.to_owned(), grant }));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn describe(&self, name: &str) -> Result<BTreeMap<String, String>, TopicError> {
        const DOING: &str = "looking up the configuration of topic";
        let options = AdminOptions::new().request_timeout(Some(CALL_TIMEOUT));
        let kafka = |error| TopicError::Kafka { doing: DOING, name: name.to_owned(), error };
        let resources = [ResourceSpecifier::Topic(name)];
        let admin = self.admin();
        let asked = admin.describe_configs(&resources, &options).await.inspect_err(|error| self.renew_after(error));
        match asked.map_err(kafka)?.into_iter().next() {
            Some(Ok(resource)) => Ok(resource
                .entries
                .into_iter()
                .filter_map(|entry| entry.value.map(|value| (entry.name, value)))
                .collect()),
            Some(Err(RDKafkaErrorCode::TopicAuthorizationFailed)) => {
                Err(TopicError::NotAuthorized { doing: DOING, name: name.to_owned(), grant: "DescribeConfigs" })
            }
            Some(Err(code)) => Err(kafka(KafkaError::AdminOp(code))),
            None => Err(kafka(KafkaError::NoMessageReceived)),
        }
    }
}
