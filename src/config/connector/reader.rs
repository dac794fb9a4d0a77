//! Reading single settings of a connector, with a problem noted for each that is wrong.

use std::collections::BTreeMap;

use crate::config::{Problem, check};

pub(super) struct Reader<'a> {
    pub(super) settings: &'a BTreeMap<String, String>,
    pub(super) place: &'a str,
    pub(super) problems: &'a mut Vec<Problem>,
    /// How settings were understood that could have been meant otherwise.
    pub(super) notes: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, key: &str, reason: impl Into<String>) {
        self.problems.push(Problem::new(self.place, key, reason));
    }

    /// The value as it is given, without the spaces around it.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(|value| value.trim())
    }

    /// The value, when it is given and not empty.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get(key).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    pub(super) fn required(&mut self, key: &str) -> Option<String> {
        let value = self.text(key);
        if value.is_none() {
            self.problem(key, "is required");
        }
        value
    }

    /// The value, or its problem noted.
    pub(super) fn checked<T>(&mut self, key: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|reason| self.problem(key, reason)).ok()
    }

    pub(super) fn number(&mut self, key: &str, default: u64, least: u64, most: u64) -> Option<u64> {
        let Some(text) = self.get(key) else { return Some(default) };
        let result = check::whole_number(text, least, most);
        self.checked(key, result)
    }

    pub(super) fn millis(&mut self, key: &str, default: u64, least: u64, most: u64) -> Option<std::time::Duration> {
        self.number(key, default, least, most).map(std::time::Duration::from_millis)
    }

    /// `None` inside: it is not given.
    pub(super) fn flag(&mut self, key: &str) -> Option<Option<bool>> {
        match self.get(key) {
            None | Some("") => Some(None),
            Some("true") => Some(Some(true)),
            Some("false") => Some(Some(false)),
            Some(other) => {
                let reason = format!("{other:?}: true or false was expected");
                self.problem(key, reason);
                None
            }
        }
    }

    pub(super) fn flag_or(&mut self, key: &str, default: bool) -> Option<bool> {
        self.flag(key).map(|value| value.unwrap_or(default))
    }

    pub(super) fn replication(&mut self, key: &str) -> Option<i32> {
        let result = check::replication_factor(self.get(key).unwrap_or("-1"));
        self.checked(key, result)
    }

    pub(super) fn one_of<T: Copy>(&mut self, key: &str, default: &str, values: &[(&str, T)]) -> Option<T> {
        let text = self.get(key).unwrap_or(default).to_owned();
        let found = values.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
            self.problem(key, format!("{text:?}: one of {} was expected", names.join(", ")));
        }
        found
    }
}
