//! The known keys: our own ([`super::table`]), Kafka Connect's ([`super::connect_keys`]), and those passed on to
//! librdkafka.

use super::connect_keys;
use super::error::KeyError;
use super::table::{self, Definition};
use super::topic_keys::{self, TopicKey};
use crate::nearest::nearest;

/// The prefixes of a worker's settings that are passed on to librdkafka.
pub const WORKER_PREFIXES: &[&str] = &["producer.", "consumer.", "admin.", "ssl.", "sasl.", "security.", "client."];

/// Those of them that apply to one kind of client.
const CLIENT_PREFIXES: &[&str] = &["producer.", "consumer.", "admin."];

/// The prefix of any other configuration of the data topic: `topic.creation.default.retention.ms`.
pub const TOPIC_CREATION_PREFIX: &str = table::TOPIC_CONFIG.name;

/// Returns whether a worker has such a setting.
pub fn is_worker_key(name: &str) -> bool {
    table::of_worker(name).is_some() || is_client_key(name)
}

/// Returns whether a worker's setting is passed on to librdkafka.
pub fn is_client_key(name: &str) -> bool {
    WORKER_PREFIXES.iter().any(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
}

/// Returns whether a worker's setting is passed on to librdkafka for all clients.
pub fn is_common_key(name: &str) -> bool {
    is_client_key(name) && !CLIENT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns whether a connector has such a setting.
pub fn is_connector_key(name: &str) -> bool {
    table::of_connector(name).is_some()
}

/// Checks that a connector has such a setting, ours or Kafka Connect's, and that the table of Kafka Connect's settings
/// allows this value.
///
/// # Errors
/// Why not, and what to do.
pub fn check_connector(name: &str, value: &str) -> Result<(), KeyError> {
    if table::connector().any(|known| known.name == table::own_name(name)) {
        return Ok(());
    }
    if let Some(TopicKey::Near(meant)) = topic_keys::look_up(name)
        && !is_connects_own(connect_keys::CONNECTOR, name)
    {
        return Err(KeyError::Unknown { nearest: Some(format!("{TOPIC_CREATION_PREFIX}{meant}")) });
    }
    if let Some(misspelt) = misspelt(name, is_connector_key(name), connect_keys::CONNECTOR, table::connector()) {
        return Err(misspelt);
    }
    match connect_keys::check(connect_keys::CONNECTOR, name, value) {
        // A name that is refused only by a prefix of Kafka Connect's may be one of ours.
        Some(Err(_)) if is_connector_key(name) && !is_connects_own(connect_keys::CONNECTOR, name) => Ok(()),
        Some(checked) => Ok(checked?),
        None if is_connector_key(name) => Ok(()),
        None if is_worker_key(name) => Err(KeyError::OfWorker),
        None if connect_keys::check(connect_keys::WORKER, name, value).is_some() => Err(KeyError::OfConnectWorker),
        None => Err(unknown(name, table::connector())),
    }
}

/// Checks the same for a setting of a worker.
///
/// # Errors
/// Why not, and what to do.
pub fn check_worker(name: &str, value: &str) -> Result<(), KeyError> {
    if table::of_worker(name).is_some() {
        return Ok(());
    }
    if let Some(misspelt) = misspelt(name, is_client_key(name), connect_keys::WORKER, table::worker()) {
        return Err(misspelt);
    }
    match connect_keys::check(connect_keys::WORKER, name, value) {
        Some(checked) => Ok(checked?),
        None if is_client_key(name) => Ok(()),
        None if is_connector_key(name) => Err(KeyError::OfConnector),
        None => Err(unknown(name, table::worker())),
    }
}

fn is_connects_own(table: &[connect_keys::ConnectKey], name: &str) -> bool {
    table.iter().any(|key| key.name == name)
}

/// Returns the error for a misspelt key that only a prefix of Kafka Connect's covers: what is said of all keys with that prefix
/// would distract from the misspelling. `is_handed_on`: it is a setting whatever its name is.
fn misspelt(
    name: &str,
    is_handed_on: bool,
    connects: &'static [connect_keys::ConnectKey],
    own: impl Iterator<Item = &'static Definition>,
) -> Option<KeyError> {
    let only_by_prefix = !is_connects_own(connects, name) && connect_keys::check(connects, name, "").is_some();
    if is_handed_on || !only_by_prefix {
        return None;
    }
    let connects = connects.iter().map(|key| key.name).filter(|known| !known.ends_with('*'));
    let nearest = nearest(name, own.map(|definition| definition.name).chain(connects))?;
    Some(KeyError::Unknown { nearest: Some(nearest.to_owned()) })
}

/// Returns the error for an unknown key, with the known key that was probably meant, if one is close enough.
pub(super) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a Definition>) -> KeyError {
    KeyError::Unknown { nearest: nearest(name, known.map(|definition| definition.name)).map(str::to_owned) }
}
