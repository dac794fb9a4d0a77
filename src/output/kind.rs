//! What an output is, and how one comes from a connector's settings.

use std::collections::BTreeSet;
use std::sync::Arc;

use kvs_client::Fragment;

use super::framing::{EncodeError, SchemaError};
use super::notification::Notification;
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::kafka::topics::TopicPlan;
use crate::kafka::{DataTopic, TopicFacts};
use crate::model::{OffsetKey, OnRefused, OutputId, Publication, Record, RecordOutput};

/// A kind of output: how it comes from a connector's settings.
pub(super) trait OutputKind: Sync {
    /// Its name.
    fn id(&self) -> OutputId;

    /// What becomes of a record that its topic refuses.
    fn on_refused(&self) -> OnRefused;

    /// Returns its topic of this name as it is made when it is missing.
    fn topic_plan(&self, name: &str, settings: &OutputSettings<'_>) -> TopicPlan;

    /// Checks that a topic takes what the connector writes.
    ///
    /// # Errors
    /// The setting that does not go together with the topic, and why.
    fn check(&self, _connector: &ConnectorConfig, _facts: &TopicFacts) -> Result<(), SettingMismatch> {
        Ok(())
    }

    /// Returns the output of a connector.
    ///
    /// # Errors
    /// When a schema cannot be compiled.
    fn open(
        &self,
        connector: &ConnectorConfig,
        topic: OutputTopic,
        facts: &TopicFacts,
    ) -> Result<Arc<dyn Output>, SchemaError>;
}

/// What outputs come from.
pub(super) struct OutputSettings<'a> {
    /// The worker's.
    pub(super) worker: &'a WorkerConfig,
    /// The connector's.
    pub(super) connector: &'a ConnectorConfig,
}

/// A setting that does not go together with an output's topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SettingMismatch {
    /// The setting.
    pub setting: &'static str,
    /// Why, and what to do.
    pub reason: String,
}

/// A topic, and its partitions as they are now.
#[derive(Debug, Clone)]
pub struct OutputTopic {
    /// Its name.
    pub name: Arc<str>,
    /// Its partitions.
    pub partitions: Arc<DataTopic>,
}

/// What an output has to know of the stream and the moment.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The stream.
    pub key: &'a Arc<OffsetKey>,
    /// Name of the stream.
    pub stream_name: &'a str,
    /// ARN of the stream, once it is known.
    pub stream_arn: Option<&'a str>,
    /// The present, in milliseconds since 1970: when the fragment was received.
    pub now_ms: i64,
    /// Whether records get their ingest time whatever is asked for, because the broker has refused another.
    pub ingest_time: bool,
}

/// An output of a connector.
pub trait Output: Send + Sync {
    /// Returns what its records say of it.
    fn of_record(&self) -> RecordOutput;

    /// Returns its topic.
    fn topic(&self) -> &OutputTopic;

    /// Adds the records of a fragment, for a partition of the output's topic.
    ///
    /// # Errors
    /// When the fragment cannot be encoded.
    fn project(
        &self,
        _origin: &Origin<'_>,
        _partition: i32,
        _fragment: &mut Fragment,
        _content_type: &str,
        _publication: &mut Publication,
    ) -> Result<(), EncodeError> {
        Ok(())
    }

    /// Returns the record of something that people should know of a stream, if the output writes such records.
    ///
    /// # Errors
    /// When it cannot be encoded.
    fn notify(&self, _origin: &Origin<'_>, _notification: &Notification<'_>) -> Result<Option<Record>, EncodeError> {
        Ok(None)
    }
}

/// The outputs of a connector, in the order in which they are asked.
#[derive(Clone)]
pub struct Outputs(Arc<[Arc<dyn Output>]>);

impl Outputs {
    /// Returns these outputs, in this order.
    pub fn new(outputs: impl IntoIterator<Item = Arc<dyn Output>>) -> Self {
        Self(outputs.into_iter().collect())
    }

    /// Returns them one by one.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Output>> {
        self.0.iter()
    }

    /// Returns the topics without which its streams cannot go on.
    pub fn needed_topics(&self) -> BTreeSet<Arc<str>> {
        let needed = self.iter().filter(|output| !output.of_record().may_be_dropped());
        needed.map(|output| Arc::clone(&output.topic().name)).collect()
    }

    /// Returns whether its streams need all of these topics.
    pub fn need_all(&self, topics: &BTreeSet<Arc<str>>) -> bool {
        topics.is_subset(&self.needed_topics())
    }
}
