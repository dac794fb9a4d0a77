//! What a connector publishes.
//!
//! **Contract.** A connector has a list of outputs, each with a topic of its own. A fragment becomes one `Publication`: each
//! output adds its records ([`Output::project`]), and all of them are written in one transaction with the stream's offset.
//! What becomes of a record that its topic refuses is the output's to say (`OnRefused`). Everything slow happens here, in
//! the stream's task; the shard's thread only writes.
//!
//! A kind of output is a file of its own and a line in `KINDS` (`kinds.rs`); which topics a connector has is said by
//! [`crate::config::connector::topics`]. Outputs are made, and their topics made or checked, by [`Preparer`].

mod fragments;
mod framing;
mod kind;
mod kinds;
mod notification;
mod notifications;
mod prepare;
mod schema;
mod stream;
mod timestamp;

pub use fragments::FragmentOutput;
pub(crate) use fragments::RECORD_OVERHEAD_BYTES;
pub use framing::{EncodeError, SchemaError};
pub use kind::{Origin, Output, OutputTopic, Outputs, SettingMismatch};
pub use notification::Notification;
pub use notifications::NotificationOutput;
pub use prepare::{PrepareError, Preparer};
pub use schema::{KEY_SCHEMA, NOTIFICATION_SCHEMA, VALUE_SCHEMA, notification_schema, value_schemas};
pub use stream::StreamOutputs;
pub use timestamp::TimestampPolicy;
