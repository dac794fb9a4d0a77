//! The outputs of a connector.
//!
//! **Contract.** A connector has a list of outputs, each with its own topic. A fragment becomes one `Publication`: each
//! output adds its records ([`Output::project`]), and all of them are written in one transaction with the stream's
//! offset. The output decides what happens to a record that its topic refuses (`OnRefused`). Everything slow happens
//! here, in the stream's task; the shard's thread only writes.
//!
//! A kind of output is a file of its own and a line in `KINDS` (`kinds.rs`); [`crate::config::connector::topics`]
//! returns the topics of a connector. [`Preparer`] creates the outputs, and creates or checks their topics.

mod envelope;
mod fields;
mod fragments;
mod frames;
mod framing;
mod kind;
mod kinds;
mod known_schemas;
mod metadata;
mod notification;
mod notifications;
mod prepare;
mod schema;
mod sequenced;
mod stream;
mod timestamp;

pub use fragments::FragmentOutput;
pub(crate) use fragments::RECORD_OVERHEAD_BYTES;
pub use framing::{EncodeError, Framing, SchemaError};
pub use kind::{Origin, Output, OutputTopic, Outputs, SettingMismatch};
pub use known_schemas::{fingerprint, frame_schema, metadata_schema, notification_schema, value_schemas};
pub use metadata::MetadataOutput;
pub use notification::Notification;
pub use notifications::NotificationOutput;
pub(crate) use prepare::subjects;
pub use prepare::{PrepareError, Preparer};
pub use schema::{BUILT_IN, BuiltInSchema, KEY_SCHEMA, METADATA_SCHEMA, NOTIFICATION_SCHEMA, VALUE_SCHEMA};
pub use stream::StreamOutputs;
pub use timestamp::TimestampPolicy;
