//! What is beside the values of a connector's records: keys, partitions and headers, as the settings have them.

use crate::config::ConnectorConfig;
use crate::model::{KeyFormat, Partitioning, RecordKey, Template};

/// How the records of a connector are written, apart from their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordForm {
    /// What keys consist of.
    pub key: RecordKey,
    /// How keys are written.
    pub keys: KeyFormat,
    /// What chooses partitions.
    pub partitioning: Partitioning,
    /// Configured headers, by name.
    pub headers: Vec<(String, Template)>,
    /// Whether records have CloudEvents' headers.
    pub cloudevents: bool,
    /// Whether records have a trace context.
    pub traceparent: bool,
}

impl RecordForm {
    /// Returns the form that the settings describe.
    pub(super) fn of(connector: &ConnectorConfig) -> Self {
        let routing = &connector.routing;
        Self {
            key: routing.key,
            keys: connector.converters.keys,
            partitioning: routing.partitioning,
            headers: routing.headers.clone(),
            cloudevents: routing.cloudevents,
            traceparent: routing.traceparent,
        }
    }

    /// Returns the default form with keys of this format.
    pub fn with_keys(keys: KeyFormat) -> Self {
        Self { keys, ..Self::default() }
    }
}
