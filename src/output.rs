//! The outputs of a connector.
//!
//! **Contract.** A connector has a list of outputs, each with its own topic. A fragment becomes one `Publication`: each
//! output adds its records ([`Output::project`]), and all of them are written in one transaction with the stream's
//! offset. The output decides what happens to a record that its topic refuses (`OnRefused`). Everything slow happens
//! here, in the stream's task; the shard's thread only writes.
//!
//! A kind of output is a file of its own and a line in `KINDS` (`kinds.rs`); [`crate::config::connector::topics`]
//! returns the topics of a connector. [`Preparer`] creates the outputs, and creates or checks their topics.

mod chunks;
mod dead_letter;
mod dead_letters;
mod envelope;
mod error;
mod fields;
mod form;
mod fragments;
mod frames;
mod framing;
mod headers;
mod kind;
mod kinds;
mod known_schemas;
mod metadata;
mod notification;
mod notifications;
mod partitions;
mod payloads;
mod placement;
mod prepare;
mod route;
mod schema;
mod sequenced;
mod stream;
mod timestamp;
mod tracks;

pub use dead_letter::DeadLetter;
pub use error::{FragmentError, OpenError, ProjectError, RouteError};
pub use fields::{MEDIA_FIELDS, fields_of_media};
pub use form::RecordForm;
pub use fragments::FragmentOutput;
pub(crate) use fragments::RECORD_OVERHEAD_BYTES;
pub use framing::{EncodeError, Framing, SchemaError};
pub use kind::{Origin, Output, OutputTopic, Projected, RefusedSizes, SettingMismatch, SkippedFrames};
pub use known_schemas::{fingerprint, frame_schemas, metadata_schemas, notification_schema, value_schemas};
pub use metadata::MetadataOutput;
pub use notification::Notification;
pub use notifications::NotificationOutput;
pub use placement::{ChunksPlacement, Placement};
pub(crate) use prepare::subjects;
pub use prepare::{PrepareError, Preparer};
pub use route::Outputs;
pub use schema::{BUILT_IN, BuiltInSchema, KEY_SCHEMA, METADATA_SCHEMA, NOTIFICATION_SCHEMA, VALUE_SCHEMA};
pub use stream::{PublishedWith, StreamOutputs, Unpublished};
pub use timestamp::TimestampPolicy;
