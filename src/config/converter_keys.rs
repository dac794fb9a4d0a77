//! Settings of Kafka Connect's converters under our names.

use std::collections::BTreeMap;

use super::error::ValueError;
use super::table;

/// Settings under our names.
pub(super) struct OwnNames<V> {
    pub(super) settings: BTreeMap<String, V>,
    /// For each of our names that is written differently: how it is written.
    pub(super) written: BTreeMap<String, String>,
    /// Names whose values contradict others.
    pub(super) problems: Vec<(String, ValueError)>,
}

/// Returns settings under our names. Of two names of one setting, both must have the same value.
pub(super) fn own_names<V: Clone>(given: &BTreeMap<String, V>, value: impl Fn(&V) -> &str) -> OwnNames<V> {
    let mut own = OwnNames { settings: given.clone(), written: BTreeMap::new(), problems: Vec::new() };
    for (name, entry) in given {
        let ours = table::own_name(name);
        if ours == name {
            continue;
        }
        own.settings.remove(name);
        match own.settings.get(ours) {
            Some(other) if value(other).trim() != value(entry).trim() => {
                let other = own.written.get(ours).map_or(ours, String::as_str).to_owned();
                own.problems.push((name.clone(), ValueError::OtherName { other }));
            }
            Some(_) => {}
            None => {
                own.settings.insert(ours.to_owned(), entry.clone());
                own.written.insert(ours.to_owned(), name.clone());
            }
        }
    }
    own
}

#[cfg(test)]
#[path = "converter_keys_tests.rs"]
mod tests;
