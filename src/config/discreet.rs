//! Problems of settings in words that hold nothing that is not to be shown.
//!
//! **Contract.** The words of a problem come from a reading of the settings as they may be shown: a reference stands for
//! itself, a secret in the clear is masked. A problem that reading does not find is told by its key, by what stands there,
//! and by what the setting is for. So no word is made from a value that is hidden, in whatever form words would have it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, connector, secrets, table};

/// Settings with what is hidden of them.
pub(super) struct Discreet<'a> {
    place: &'a str,
    shown: BTreeMap<String, String>,
    /// Keys whose values are not those that are shown.
    hidden: BTreeSet<&'a str>,
}

impl<'a> Discreet<'a> {
    /// Of settings as they were given, and as they are to be used.
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

    /// Problems of the settings as they are to be used.
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

    /// Problems whose words are about their own setting alone.
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
            Some(shown) => format!("{shown}: what stands for it on this worker is not valid here. {doc}"),
            None => {
                let others: Vec<&str> = self.hidden.iter().copied().collect();
                format!("is not valid together with what is not shown of {}. {doc}", others.join(", "))
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
