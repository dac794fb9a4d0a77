//! Texts of problems that reveal no secret.
//!
//! **Contract.** A problem's text comes from reading the settings in the form in which they may be shown: a reference
//! unresolved, a plain secret masked. A problem that this reading does not find is described by its key, the shown
//! value and the setting's documentation. So no text is made from a hidden value, in whatever form it would contain it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, connector, secrets, table};

/// Settings and which of their values are hidden.
pub(super) struct Discreet<'a> {
    place: &'a str,
    shown: BTreeMap<String, String>,
    /// Keys whose values differ from those shown.
    hidden: BTreeSet<&'a str>,
}

impl<'a> Discreet<'a> {
    /// Compares settings as they were written with their resolved form.
    pub(super) fn new(
        place: &'a str,
        given: &'a BTreeMap<String, String>,
        resolved: &BTreeMap<String, String>,
    ) -> Self {
        let shown = secrets::masked(given);
        let is_hidden = |key: &&String| shown.get(*key) != resolved.get(*key);
        let hidden = given.keys().filter(is_hidden).map(String::as_str).collect();
        Self { place, shown, hidden }
    }

    /// Returns the problems of the resolved settings.
    pub(super) fn problems(&self, found: Vec<Problem>) -> Vec<Problem> {
        if self.hidden.is_empty() {
            return found;
        }
        let innocent = connector::from_settings(self.place, &self.shown).err().unwrap_or_default();
        let told = found.into_iter().map(|problem| match innocent.contains(&problem) {
            true => problem,
            false => self.told(&problem.key),
        });
        without_doubles(told)
    }

    /// Returns problems whose texts depend on their own settings only.
    pub(super) fn own_problems(&self, found: Vec<Problem>) -> Vec<Problem> {
        let told = found.into_iter().map(|problem| match self.hidden.contains(problem.key.as_str()) {
            true => self.told(&problem.key),
            false => problem,
        });
        without_doubles(told)
    }

    fn told(&self, key: &str) -> Problem {
        let doc = table::of_connector(key).unwrap_or(&table::TOPIC_CONFIG).doc;
        let reason = match self.shown.get(key).filter(|_| self.hidden.contains(key)) {
            Some(shown) => format!("{shown}: its value on this worker is not valid. {doc}"),
            None => {
                let others: Vec<&str> = self.hidden.iter().copied().collect();
                format!("is not valid together with the hidden value of {}. {doc}", others.join(", "))
            }
        };
        Problem::new(self.place, key, reason)
    }
}

fn without_doubles(problems: impl Iterator<Item = Problem>) -> Vec<Problem> {
    let mut kept: Vec<Problem> = Vec::new();
    for problem in problems {
        if !kept.contains(&problem) {
            kept.push(problem);
        }
    }
    kept
}

#[cfg(test)]
#[path = "discreet_tests.rs"]
mod tests;
