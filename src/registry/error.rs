//! Why a registry cannot be used: which one, what it said, and what to do.

use std::path::PathBuf;
use std::time::Duration;

use kvs_client::files::FileError;

use super::difference::Difference;

/// Reasons why a schema's id could not be had from a registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No connection could be made, or it broke.
    #[error("the schema registry {url} cannot be reached: {cause}{advice}")]
    Unreachable {
        /// The registry.
        url: String,
        /// The innermost causes.
        cause: String,
        /// What to check, beginning with a semicolon; empty if unknown.
        advice: &'static str,
    },
    /// There was no complete response in time.
    #[error(
        "the schema registry {url} has not answered within {} s; check that schema.registry.url leads to it, and whether it hangs",
        timeout.as_secs()
    )]
    TimedOut {
        /// The registry.
        url: String,
        /// The limit.
        timeout: Duration,
    },
    /// It refuses the credentials.
    #[error(
        "the schema registry {url} refuses access (HTTP {status}): check schema.registry.basic.auth.user.info or \
         schema.registry.bearer.auth.token, and what this user may do with the subjects; \
         where it may not register schemas, register them with `kvs-connect schemas register`"
    )]
    AccessRefused {
        /// The registry.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// What answers is no schema registry.
    #[error(
        "{url} does not answer as a schema registry does (HTTP {status}, {found}); check schema.registry.url, with its path: \
         the API of Confluent's Schema Registry is expected there, which Apicurio has under /apis/ccompat/v7"
    )]
    NotRegistry {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What was found instead, such as `HTML` or the target of a redirect.
        found: String,
    },
    /// It failed, which may pass.
    #[error(
        "the schema registry {url} fails (HTTP {status}, code {code}): {message}; it is asked again, see its own log for the cause"
    )]
    Failed {
        /// The registry.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The registry's own code.
        code: i64,
        /// Its words.
        message: String,
    },
    /// It refuses a request about a subject.
    #[error("the schema registry {url} refuses subject {subject} (HTTP {status}, code {code}): {message}")]
    Refused {
        /// The registry.
        url: String,
        /// The subject.
        subject: String,
        /// The HTTP status.
        status: u16,
        /// The registry's own code.
        code: i64,
        /// Its words.
        message: String,
    },
    /// The schema is incompatible with the subject's versions.
    #[error(
        "schema {schema} is incompatible with subject {subject} of the schema registry {url}{}; it has not been registered, and \
         nothing is written with it. Use another topic or subject, or change the subject's compatibility level. The registry says: {reasons}",
        first(difference.as_deref())
    )]
    Incompatible {
        /// The registry.
        url: String,
        /// The file of the schema.
        schema: &'static str,
        /// The subject.
        subject: String,
        /// The first difference from the latest version, with the name of the field: registries name it by its number.
        difference: Option<Box<Difference>>,
        /// The registry's words.
        reasons: String,
    },
    /// The subject does not have the schema, and it must not be registered.
    #[error(
        "subject {subject} of the schema registry {url} does not have the schema {schema}, and auto.register.schemas is \
         false; register it with `kvs-connect schemas register`"
    )]
    NotRegistered {
        /// The registry.
        url: String,
        /// The file of the schema.
        schema: &'static str,
        /// The subject.
        subject: String,
    },
    /// The subject has no version, and the latest is to be used.
    #[error(
        "subject {subject} of the schema registry {url} has no version that use.latest.version could use; register the \
         schema {schema} with `kvs-connect schemas register`"
    )]
    NoVersion {
        /// The registry.
        url: String,
        /// The file of the schema.
        schema: &'static str,
        /// The subject.
        subject: String,
    },
    /// The latest version is not the schema that is written.
    #[error(
        "version {version} of subject {subject}, the latest, describes other records than those that are written ({schema}): \
         {difference}; set use.latest.version=false, or register {schema}"
    )]
    Different {
        /// The file of the schema.
        schema: &'static str,
        /// The subject.
        subject: String,
        /// The latest version's number.
        version: i64,
        /// The first difference.
        difference: Box<Difference>,
    },
    /// A version of a subject is not an Avro schema.
    #[error("version {version} of subject {subject} is not an Avro schema: {reason}")]
    NotAvro {
        /// The subject.
        subject: String,
        /// The version's number.
        version: i64,
        /// Why not.
        reason: String,
    },
    /// The id does not fit Confluent's framing.
    #[error("the schema registry {url} gave the id {id}, but the framing has room for ids from 0 to 2147483647")]
    IdOutOfRange {
        /// The registry.
        url: String,
        /// The id.
        id: i64,
    },
    /// A file cannot be used.
    #[error("{setting}: {} {source}", file.display())]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// Why not.
        source: FileError,
    },
    /// A file contains something else than was expected.
    #[error("{setting}: {} {expected}", file.display())]
    Pem {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// What was expected.
        expected: &'static str,
    },
    /// The client cannot be created.
    #[error("schema.registry: no HTTP client: {0}")]
    Client(String),
}

fn first(difference: Option<&Difference>) -> String {
    difference.map_or(String::new(), |difference| format!(": {difference}"))
}

impl RegistryError {
    /// Returns whether it says nothing about the schema: the registry cannot be used at the moment, and ids that are
    /// known remain right.
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Failed { .. } | Self::NotRegistry { .. } => true,
            Self::AccessRefused { .. } | Self::File { .. } | Self::Pem { .. } | Self::Client(_) => true,
            Self::Refused { .. }
            | Self::Incompatible { .. }
            | Self::NotRegistered { .. }
            | Self::NoVersion { .. }
            | Self::Different { .. }
            | Self::NotAvro { .. }
            | Self::IdOutOfRange { .. } => false,
        }
    }
}
