//! The traits of outputs and of their kinds, which open outputs from a connector's settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use kvs_client::Fragment;

use super::dead_letter::DeadLetter;
use super::error::ProjectError;
use super::framing::{EncodeError, Framing, SchemaError};
use super::notification::Notification;
use super::placement::Placement;
use super::schema::{BuiltInSchema, FRAGMENT_KEY};
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::kafka::topics::TopicPlan;
use crate::kafka::{DataTopic, TopicFacts};
use crate::model::{KeyFormat, OffsetKey, OnRefused, OutputId, Publication, Record, RecordOutput};

/// A kind of output, which opens outputs from a connector's settings.
pub(super) trait OutputKind: Sync {
    /// Returns the name of the kind.
    fn id(&self) -> OutputId;

    /// Returns what happens when the topic refuses a record.
    fn on_refused(&self) -> OnRefused;

    /// Returns the plan by which a missing topic of this name is created.
    fn topic_plan(&self, name: &str, settings: &OutputSettings<'_>) -> TopicPlan;

    /// Checks that a topic accepts the connector's records.
    ///
    /// # Errors
    /// When a setting contradicts the topic.
    fn check(&self, _connector: &ConnectorConfig, _facts: &TopicFacts) -> Result<(), SettingMismatch> {
        Ok(())
    }

    /// Returns the schemas that the connector's keys and values are written with.
    fn schemas(&self, connector: &ConnectorConfig) -> OutputSchemas;

    /// Opens the output of a connector. `framing` has an id for each of its schemas if there is a registry.
    ///
    /// # Errors
    /// When a schema cannot be compiled.
    fn open(
        &self,
        connector: &ConnectorConfig,
        topic: OutputTopic,
        framing: Framing,
        facts: &TopicFacts,
    ) -> Result<Arc<dyn Output>, SchemaError>;
}

/// The schemas that an output's keys and values are written with; `None`: they are no Avro.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutputSchemas {
    pub(super) key: Option<&'static BuiltInSchema>,
    pub(super) value: Option<&'static BuiltInSchema>,
}

impl OutputSchemas {
    /// Returns those of records with the fragment's number as the key.
    pub(super) fn of_fragment(keys: KeyFormat, value: &'static BuiltInSchema) -> Self {
        Self { key: (keys == KeyFormat::Avro).then_some(&FRAGMENT_KEY), value: Some(value) }
    }
}

/// The settings that outputs are opened with.
pub(super) struct OutputSettings<'a> {
    /// The worker's settings.
    pub(super) worker: &'a WorkerConfig,
    /// The connector's settings.
    pub(super) connector: &'a ConnectorConfig,
}

/// A setting that contradicts an output's topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SettingMismatch {
    /// The setting.
    pub setting: &'static str,
    /// Why, and what to do.
    pub reason: String,
}

/// A topic and its current partitions.
#[derive(Debug, Clone)]
pub struct OutputTopic {
    /// The name of the topic.
    pub name: Arc<str>,
    /// The partitions of the topic.
    pub partitions: Arc<DataTopic>,
    /// The topic's `max.message.bytes` when it was opened, if it is known.
    pub max_message_bytes: Option<usize>,
}

impl OutputTopic {
    /// Returns a topic with these partitions and this configuration.
    pub fn new(name: &str, partitions: Arc<DataTopic>, facts: &TopicFacts) -> Self {
        Self { name: name.into(), partitions, max_message_bytes: facts.max_message_bytes() }
    }
}

/// Record sizes, in bytes, that topics have refused lately.
pub type RefusedSizes = BTreeMap<Arc<str>, usize>;

/// The stream and the time that records are written for.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The stream.
    pub key: &'a Arc<OffsetKey>,
    /// The name of the stream.
    pub stream_name: &'a str,
    /// The ARN of the stream, once it is known.
    pub stream_arn: Option<&'a str>,
    /// The time at which the fragment was received, in milliseconds since 1970.
    pub now_ms: i64,
    /// Whether records get their ingest time whatever is configured, because the broker has refused another time.
    pub ingest_time: bool,
    /// Whether the fragment does not continue the one that was published before it.
    pub discontinuity: bool,
    /// The track that the records are about, as templates name it; `None`: all tracks of the fragment.
    pub track: Option<&'a str>,
    /// What topics have refused lately.
    pub refused_sizes: &'a RefusedSizes,
    /// Where the payload is.
    pub placement: &'a Placement,
}

impl<'a> Origin<'a> {
    /// Returns the origin of records of a stream at this time, with nothing special about them.
    pub fn new(key: &'a Arc<OffsetKey>, stream_name: &'a str, now_ms: i64) -> Self {
        static NONE: RefusedSizes = RefusedSizes::new();
        static INLINE: Placement = Placement::INLINE;
        Self {
            key,
            stream_name,
            stream_arn: None,
            now_ms,
            ingest_time: false,
            discontinuity: false,
            track: None,
            refused_sizes: &NONE,
            placement: &INLINE,
        }
    }
}

/// What an output reports of a fragment whose records it has added.
#[derive(Debug, Default)]
pub struct Projected {
    /// Frames that were left out, if any.
    pub skipped_frames: Option<SkippedFrames>,
}

/// Frames of a fragment that were left out because they cannot be converted.
#[derive(Debug)]
pub struct SkippedFrames {
    /// How many.
    pub count: u64,
    /// What is wrong with the first of them.
    pub reason: String,
    /// The stored data of the first of them.
    pub data: Vec<u8>,
}

/// An output of a connector.
pub trait Output: Send + Sync {
    /// Returns the output as its records refer to it.
    fn of_record(&self) -> RecordOutput;

    /// Returns the topic of the output.
    fn topic(&self) -> &OutputTopic;

    /// Returns whether the records of a stream keep to the partition that is stored with its offset. `of_track`: each record is
    /// of one track.
    fn keeps_partition(&self, _of_track: bool) -> bool {
        true
    }

    /// Adds the records of a fragment, or of the part of it that is about `origin.track`. `partition` is the stream's in the
    /// output's topic.
    ///
    /// # Errors
    /// When the fragment cannot be encoded, or a partition accepts no records. The fragment is then as it was.
    fn project(
        &self,
        _origin: &Origin<'_>,
        _partition: i32,
        _fragment: &mut Fragment,
        _content_type: &str,
        _publication: &mut Publication,
    ) -> Result<Projected, ProjectError> {
        Ok(Projected::default())
    }

    /// Returns the record of a skipped fragment, if the output writes such records.
    fn dead_letter(&self, _origin: &Origin<'_>, _partition: i32, _letter: &DeadLetter<'_>) -> Option<Record> {
        None
    }

    /// Returns the record of a notification about a stream, if the output writes such records.
    ///
    /// # Errors
    /// When the notification cannot be encoded.
    fn notify(&self, _origin: &Origin<'_>, _notification: &Notification<'_>) -> Result<Option<Record>, EncodeError> {
        Ok(None)
    }
}
