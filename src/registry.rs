//! The schema registry: finds, checks and registers schemas by the API that Confluent's Schema Registry defined.
//!
//! **Contract.** A registry is asked when a connector is prepared, never while fragments are written. A schema is looked
//! up before it is registered, and always sent as the same bytes, because some registries take other whitespace for
//! another schema. It is registered only if the registry says that it is compatible. While the registry cannot be
//! reached, ids that this process has learnt before are used.

mod api;
mod config;
mod difference;
mod error;
mod http;
mod ids;

pub use config::{Credentials, RegistryConfig, Secret, SubjectNames, TlsFiles};
pub use difference::{Difference, difference};
pub use error::RegistryError;
pub use ids::{KnownIds, SchemaId, Wanted, check};
