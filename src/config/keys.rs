//! Which keys there are: our own ([`super::table`]), Kafka Connect's ([`super::connect_keys`]), and those that are handed on.

use super::connect_keys;
use super::error::KeyError;
use super::table::{self, Definition};
use super::topic_keys::{self, TopicKey};
use crate::nearest::nearest;

/// What settings of a worker begin with that are handed to librdkafka.
pub const WORKER_PREFIXES: &[&str] = &["producer.", "consumer.", "admin.", "ssl.", "sasl.", "security.", "client."];

/// Those of them that are for one kind of client.
const CLIENT_PREFIXES: &[&str] = &["producer.", "consumer.", "admin."];

/// What any other configuration of the data topic begins with: `topic.creation.default.retention.ms`.
pub const TOPIC_CREATION_PREFIX: &str = table::TOPIC_CONFIG.name;

/// Returns whether a worker has such a setting.
pub fn is_worker_key(name: &str) -> bool {
    table::of_worker(name).is_some() || is_client_key(name)
}

/// Returns whether a setting of a worker is handed to librdkafka.
pub fn is_client_key(name: &str) -> bool {
    WORKER_PREFIXES.iter().any(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
}

/// Returns whether a setting of a worker is handed to librdkafka for all clients.
pub fn is_common_key(name: &str) -> bool {
    is_client_key(name) && !CLIENT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns whether a connector has such a setting.
pub fn is_connector_key(name: &str) -> bool {
    table::of_connector(name).is_some()
}

/// Checks that a connector has such a setting, of ours or of Connect's, and that it may have this value as far as the table of
/// Connect's settings tells.
///
/// # Errors
/// Why not, and what to do.
pub fn check_connector(name: &str, value: &str) -> Result<(), KeyError> {
    if table::connector().any(|known| known.name == name) {
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
        // What a prefix of Connect's refuses may be ours.
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

/// Returns what is said of a key that only a prefix of Connect's covers, and that is near a known one: what the prefix says of
/// all that begin so would lead away from the misspelling. `is_handed_on`: it is a setting whatever its name is.
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

/// Returns what is said of an unknown key, with a known one that is so near that it was probably meant.
pub(super) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a Definition>) -> KeyError {
    KeyError::Unknown { nearest: nearest(name, known.map(|definition| definition.name)).map(str::to_owned) }
}
