//! The ids of schemas: looked up, registered where allowed, and kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use apache_avro::Schema;
use serde_json::Value;

use super::api::{Api, Compatibility, Conflict, Version};
use super::config::RegistryConfig;
use super::difference::difference;
use super::error::RegistryError;

/// The maximum number of ids that are kept; more topics than a worker's connectors ever have.
const KNOWN_MAX: usize = 10_000;

/// The id of a schema in a registry, as it stands in front of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaId(u32);

impl SchemaId {
    /// Creates an id; `None`: the framing has no room for it.
    pub fn new(id: i64) -> Option<Self> {
        u32::try_from(id).ok().filter(|&id| i32::try_from(id).is_ok()).map(Self)
    }

    /// Returns the number.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// A schema whose id in a subject is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The subject.
    pub subject: String,
    /// The file of the schema, for people.
    pub file: &'static str,
    /// The schema's text, which is sent as it is.
    pub text: &'static str,
}

/// The ids that this process has learnt, by registry, subject and schema.
#[derive(Debug, Default)]
pub struct KnownIds(Mutex<HashMap<(String, String, &'static str), SchemaId>>);

impl KnownIds {
    /// Returns the id of each schema, in the same order. Schemas that are not there are registered if the settings
    /// allow it.
    ///
    /// # Errors
    /// Those of [`RegistryError`], for the first schema that has no id.
    pub async fn ids(&self, config: &RegistryConfig, wanted: &[Wanted]) -> Result<Vec<SchemaId>, RegistryError> {
        match ask(config, wanted, true).await {
            Ok(ids) => {
                self.learn(config, wanted, &ids);
                Ok(ids)
            }
            Err(error) if error.is_absence() => match self.known(config, wanted) {
                Some(ids) => {
                    tracing::warn!(%error, "the schema registry cannot be used; the ids that it gave before are used");
                    Ok(ids)
                }
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    fn learn(&self, config: &RegistryConfig, wanted: &[Wanted], ids: &[SchemaId]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + ids.len() > KNOWN_MAX {
            known.clear();
        }
        known.extend(wanted.iter().zip(ids).map(|(wanted, id)| (key(config, wanted), *id)));
    }

    fn known(&self, config: &RegistryConfig, wanted: &[Wanted]) -> Option<Vec<SchemaId>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.iter().map(|wanted| known.get(&key(config, wanted)).copied()).collect()
    }
}

fn key(config: &RegistryConfig, wanted: &Wanted) -> (String, String, &'static str) {
    (Api::url(config), wanted.subject.clone(), wanted.text)
}

/// Finds what would keep the schemas from getting ids; registers nothing.
///
/// # Errors
/// Those of [`RegistryError`], for the first schema that would get no id.
pub async fn check(config: &RegistryConfig, wanted: &[Wanted]) -> Result<(), RegistryError> {
    ask(config, wanted, false).await.map(|_| ())
}

/// Returns the ids; without `register`, those of schemas that would be registered are left out.
async fn ask(config: &RegistryConfig, wanted: &[Wanted], register: bool) -> Result<Vec<SchemaId>, RegistryError> {
    let api = Api::new(config).await?;
    let mut found = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        found.push((wanted, find(&api, config, wanted).await?));
    }
    // Nothing is registered before all of them have been found compatible.
    let mut ids = Vec::with_capacity(found.len());
    for (wanted, found) in found {
        let id = match found {
            Found::Id(id) => id,
            Found::Compatible { latest } if register => enter(&api, config, wanted, latest.as_ref()).await?,
            Found::Compatible { .. } => continue,
        };
        ids.push(SchemaId::new(id).ok_or_else(|| RegistryError::IdOutOfRange { url: Api::url(config), id })?);
    }
    Ok(ids)
}

/// What a registry has of a schema.
enum Found {
    /// Its id.
    Id(i64),
    /// Nothing, but it is compatible with the latest version, if there is one, and may be registered.
    Compatible { latest: Option<Version> },
}

/// Looks a schema up, and if it is not there, checks that it may be registered.
async fn find(api: &Api<'_>, config: &RegistryConfig, wanted: &Wanted) -> Result<Found, RegistryError> {
    let Wanted { subject, file: schema, text } = wanted;
    let url = || Api::url(config);
    if config.use_latest {
        let latest = api.latest(subject).await?;
        let latest = latest.ok_or_else(|| RegistryError::NoVersion { url: url(), schema, subject: subject.clone() })?;
        return same_bytes(wanted, &latest).map(|()| Found::Id(latest.id));
    }
    if let Some(id) = api.look_up(subject, text).await? {
        return Ok(Found::Id(id));
    }
    // Somebody may have registered it with other whitespace, which some registries take for another schema.
    let latest = api.latest(subject).await?;
    if let Some(latest) = latest.as_ref().filter(|latest| is_same_json(text, &latest.schema)) {
        return Ok(Found::Id(latest.id));
    }
    if !config.auto_register {
        return Err(RegistryError::NotRegistered { url: url(), schema, subject: subject.clone() });
    }
    match api.compatibility(subject, text).await? {
        Compatibility::Compatible => Ok(Found::Compatible { latest }),
        Compatibility::Incompatible { reasons } => Err(incompatible(config, wanted, latest.as_ref(), reasons)),
    }
}

/// Registers a schema and returns its id.
async fn enter(
    api: &Api<'_>,
    config: &RegistryConfig,
    wanted: &Wanted,
    latest: Option<&Version>,
) -> Result<i64, RegistryError> {
    let Wanted { subject, file: schema, text } = wanted;
    let id = match api.register(subject, text).await? {
        Ok(id) => id,
        // Another worker may have registered the same schema since it was looked up: Apicurio calls that a conflict, too.
        Err(Conflict { reasons }) => {
            let there = api.look_up(subject, text).await?;
            there.ok_or_else(|| incompatible(config, wanted, latest, reasons))?
        }
    };
    tracing::info!(subject, schema, id, "schema registered");
    Ok(id)
}

fn incompatible(config: &RegistryConfig, wanted: &Wanted, latest: Option<&Version>, reasons: String) -> RegistryError {
    let difference = latest.and_then(|latest| match same_bytes(wanted, latest) {
        Err(RegistryError::Different { difference, .. }) => Some(difference),
        _ => None,
    });
    let (url, schema, subject) = (Api::url(config), wanted.file, wanted.subject.clone());
    RegistryError::Incompatible { url, schema, subject, difference, reasons }
}

fn is_same_json(ours: &str, theirs: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    parse(ours).is_some_and(|ours| Some(ours) == parse(theirs))
}

/// Checks that the latest version describes the bytes that are written.
fn same_bytes(wanted: &Wanted, latest: &Version) -> Result<(), RegistryError> {
    let (subject, version) = (wanted.subject.clone(), latest.number);
    let theirs = Schema::parse_str(&latest.schema).map_err(|error| RegistryError::NotAvro {
        subject: subject.clone(),
        version,
        reason: error.to_string(),
    })?;
    let ours = Schema::parse_str(wanted.text).map_err(|error| RegistryError::Client(error.to_string()))?;
    match difference(&ours, &theirs) {
        None => Ok(()),
        Some(difference) => {
            let difference = Box::new(difference);
            Err(RegistryError::Different { schema: wanted.file, subject, version, difference })
        }
    }
}
