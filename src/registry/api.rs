//! The calls of the API that are needed: look up, latest version, check of compatibility, register.

use kvs_client::shown_up_to;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::config::RegistryConfig;
use super::error::RegistryError;
use super::http::{Answer, Http};

/// The maximum number of characters of a registry's reasons.
const REASONS_MAX_CHARS: usize = 2_000;
/// There is no such subject.
const NO_SUBJECT: i64 = 40401;
/// The subject has no such version.
const NO_VERSION: i64 = 40402;
/// The subject does not have the schema.
const NO_SCHEMA: i64 = 40403;

/// A version of a subject.
pub(super) struct Version {
    pub(super) id: i64,
    pub(super) number: i64,
    /// The schema's text.
    pub(super) schema: String,
}

/// What the registry says about compatibility.
pub(super) enum Compatibility {
    Compatible,
    Incompatible {
        /// The registry's words.
        reasons: String,
    },
}

/// The registry refuses to register a schema, because it is incompatible.
pub(super) struct Conflict {
    /// The registry's words.
    pub(super) reasons: String,
}

/// A registry that can be called.
pub(super) struct Api<'a>(Http<'a>);

impl<'a> Api<'a> {
    pub(super) async fn new(config: &'a RegistryConfig) -> Result<Self, RegistryError> {
        Ok(Self(Http::new(config).await?))
    }

    /// Returns the id of a schema in a subject, if it is there.
    pub(super) async fn look_up(&self, subject: &str, schema: &str) -> Result<Option<i64>, RegistryError> {
        let body = json!({"schema": schema});
        let answer = self.0.call(&Method::POST, &["subjects", subject], None, Some(&body)).await?;
        let found = found(answer, subject, &[NO_SUBJECT, NO_VERSION, NO_SCHEMA])?;
        found.map(|answer| member(&answer, "id")).transpose()
    }

    /// Returns the latest version of a subject, if it has any.
    pub(super) async fn latest(&self, subject: &str) -> Result<Option<Version>, RegistryError> {
        let answer = self.0.call(&Method::GET, &["subjects", subject, "versions", "latest"], None, None).await?;
        let Some(answer) = found(answer, subject, &[NO_SUBJECT, NO_VERSION])? else { return Ok(None) };
        let schema = answer.body["schema"].as_str().unwrap_or_default().to_owned();
        Ok(Some(Version { id: member(&answer, "id")?, number: member(&answer, "version")?, schema }))
    }

    /// Returns whether a schema is compatible with the latest version of a subject, by the subject's own level.
    pub(super) async fn compatibility(&self, subject: &str, schema: &str) -> Result<Compatibility, RegistryError> {
        let path = ["compatibility", "subjects", subject, "versions", "latest"];
        let answer = self.0.call(&Method::POST, &path, Some("verbose=true"), Some(&json!({"schema": schema}))).await?;
        // Without versions there is nothing to be compatible with.
        let Some(answer) = found(answer, subject, &[NO_SUBJECT, NO_VERSION])? else {
            return Ok(Compatibility::Compatible);
        };
        match answer.body["is_compatible"].as_bool() {
            Some(true) => Ok(Compatibility::Compatible),
            Some(false) => Ok(Compatibility::Incompatible { reasons: reasons(&answer.body) }),
            None => Err(not_registry(&answer)),
        }
    }

    /// Registers a schema and returns its id; that of the same schema if it is there.
    pub(super) async fn register(&self, subject: &str, schema: &str) -> Result<Result<i64, Conflict>, RegistryError> {
        let path = ["subjects", subject, "versions"];
        let answer = self.0.call(&Method::POST, &path, None, Some(&json!({"schema": schema}))).await?;
        if answer.status == StatusCode::CONFLICT {
            return Ok(Err(Conflict { reasons: answer.message() }));
        }
        Ok(Ok(member(&successful(answer, subject)?, "id")?))
    }

    /// Returns the registry's first URL, for errors.
    pub(super) fn url(config: &RegistryConfig) -> String {
        config.urls.first().map(ToString::to_string).unwrap_or_default()
    }
}

/// Returns a successful answer, or `None` for an error with one of these codes.
fn found(answer: Answer, subject: &str, absent: &[i64]) -> Result<Option<Answer>, RegistryError> {
    if !answer.status.is_success() && absent.contains(&answer.code()) {
        return Ok(None);
    }
    successful(answer, subject).map(Some)
}

/// Returns a successful answer; any other is a refusal about the subject.
fn successful(answer: Answer, subject: &str) -> Result<Answer, RegistryError> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let (code, message) = (answer.code(), answer.message());
    let status = answer.status.as_u16();
    Err(RegistryError::Refused { url: answer.url, subject: subject.to_owned(), status, code, message })
}

fn member(answer: &Answer, name: &str) -> Result<i64, RegistryError> {
    answer.body[name].as_i64().ok_or_else(|| not_registry(answer))
}

fn not_registry(answer: &Answer) -> RegistryError {
    let found = format!("JSON that has not the members it should have: {}", answer.message());
    RegistryError::NotRegistry { url: answer.url.clone(), status: answer.status.as_u16(), found }
}

/// Returns the reasons of an incompatibility: a list (`messages`), or one text (`reason`) from Apicurio.
fn reasons(body: &Value) -> String {
    let messages = body["messages"].as_array().map(|messages| {
        messages.iter().filter_map(Value::as_str).filter(|message| !message.is_empty()).collect::<Vec<_>>().join("; ")
    });
    let reasons = messages.filter(|messages| !messages.is_empty());
    let reasons = reasons.or_else(|| body["reason"].as_str().map(str::to_owned));
    shown_up_to(reasons.as_deref().unwrap_or("the registry gives no reason"), REASONS_MAX_CHARS)
}
