//! A worker's settings from the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::Problem;

/// The prefix of the variables, from Kafka Connect's container images.
const ENVIRONMENT_PREFIX: &str = "CONNECT_";

/// Reads `CONNECT_BOOTSTRAP_SERVERS` as `bootstrap.servers`; as in Kafka Connect's images, `__` is an underscore and
/// `___` a dash. Values are text, because a password may look like a number.
pub(super) fn read(
    settings: &mut BTreeMap<String, (String, String)>,
    variables: impl Iterator<Item = (OsString, OsString)>,
    problems: &mut Vec<Problem>,
) {
    let mut read = BTreeMap::new();
    for (variable, value) in variables {
        let Some(variable) = variable.to_str() else { continue };
        let Some((prefix, name)) = variable.split_at_checked(ENVIRONMENT_PREFIX.len()) else { continue };
        if !prefix.eq_ignore_ascii_case(ENVIRONMENT_PREFIX) || name.is_empty() {
            continue;
        }
        let (place, key) = (format!("environment ({variable})"), setting_name(name));
        // Variables in upper and lower case can name the same setting, in an arbitrary order.
        if let Some(other) = read.insert(key.clone(), variable.to_owned()) {
            problems.push(Problem::new(&place, &key, format!("is also set by {other}")));
        }
        match value.into_string() {
            Ok(value) => _ = settings.insert(key, (place, value)),
            Err(_) => problems.push(Problem::new(&place, &key, "the value is not UTF-8")),
        }
    }
}

/// Returns the variable for a setting.
pub(super) fn variable(setting: &str) -> String {
    let marked = setting.replace('_', "__").replace('-', "___").replace('.', "_");
    format!("{ENVIRONMENT_PREFIX}{}", marked.to_uppercase())
}

fn setting_name(variable: &str) -> String {
    let marked = variable.to_lowercase().replace("___", "-").replace("__", "\u{0}");
    marked.replace('_', ".").replace('\u{0}', "_")
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;
