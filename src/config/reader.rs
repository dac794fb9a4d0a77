//! Reads settings by their entries in the table, and collects all problems.

use std::collections::BTreeMap;

use super::Problem;
use super::error::ValueError;
use super::table::{Default, Definition, Key, Perhaps};

/// A setting's value and its source.
#[derive(Debug, Clone, Copy)]
struct Given<'a> {
    place: &'a str,
    value: &'a str,
}

/// Reads the settings of a worker or a connector, and collects problems and notes.
pub(super) struct Reader<'a> {
    given: BTreeMap<&'a str, Given<'a>>,
    /// The source that is named for settings that are missing.
    pub(super) place: &'a str,
    problems: &'a mut Vec<Problem>,
    /// For settings that are written under another name: that name.
    written: BTreeMap<String, String>,
    /// How ambiguous settings were understood, for people.
    pub(super) notes: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Reads settings from a single source.
    pub(super) fn of_one_place(
        place: &'a str,
        settings: &'a BTreeMap<String, String>,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        let given = settings.iter().map(|(key, value)| (key.as_str(), Given { place, value: value.as_str() }));
        Self { given: given.collect(), place, problems, written: BTreeMap::new(), notes: Vec::new() }
    }

    /// Names settings in problems as they are written.
    pub(super) fn written_as(self, written: BTreeMap<String, String>) -> Self {
        Self { written, ..self }
    }

    /// Reads settings from several sources, each with its own.
    pub(super) fn of_places(
        place: &'a str,
        settings: &'a BTreeMap<String, (String, String)>,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        let given = settings.iter().map(|(key, (place, value))| (key.as_str(), Given { place, value: value.as_str() }));
        Self { given: given.collect(), place, problems, written: BTreeMap::new(), notes: Vec::new() }
    }

    /// Returns all settings: key, source and value.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        self.given.iter().map(|(key, given)| (*key, given.place, given.value))
    }

    /// Notes that something is wrong with a setting.
    pub(super) fn problem_at(&mut self, key: &str, reason: impl ToString) {
        let place = self.given.get(key).map_or(self.place, |given| given.place);
        let written = self.written.get(key).map_or(key, String::as_str);
        self.problems.push(Problem::new(place, written, reason.to_string()));
    }

    /// Notes that something is wrong with a setting of the table.
    pub(super) fn problem<T, P>(&mut self, key: &Key<T, P>, reason: impl ToString) {
        self.problem_at(key.name(), reason);
    }

    /// Returns a value, or notes what is wrong with it.
    pub(super) fn checked<T, U, P>(&mut self, key: &Key<U, P>, result: Result<T, impl ToString>) -> Option<T> {
        result.map_err(|error| self.problem(key, error)).ok()
    }

    /// Returns the value as it was written, without surrounding spaces.
    pub(super) fn raw(&self, key: &str) -> Option<&'a str> {
        self.given.get(key).map(|given| given.value.trim())
    }

    /// Returns whether a setting is present with a value that is not empty.
    pub(super) fn is_given<T, P>(&self, key: &Key<T, P>) -> bool {
        self.raw(key.name()).is_some_and(|value| !value.is_empty())
    }

    /// Returns the value of a setting, or its default if it is not set; `None` if it is wrong, which has been noted.
    pub(super) fn read<T>(&mut self, key: &Key<T>) -> Option<T> {
        let name = key.name();
        // A refused value is neither a value nor missing.
        let written = self.written.get(name).map_or(name, String::as_str).to_owned();
        let is_refused = |problems: &[Problem]| problems.iter().any(|problem| problem.key == written);
        let text = match self.text_of(&key.definition) {
            Ok(Some(given)) => given.to_owned(),
            Ok(None) => match key.definition.default_text() {
                Some(default) => default,
                None if is_refused(self.problems) => return None,
                None => return self.checked(key, Err(ValueError::Required)),
            },
            Err(error) => return self.checked(key, Err(error)),
        };
        self.checked(key, key.parse(&text))
    }

    /// Returns the value of a setting that may be unset; `None` if it is wrong, which has been noted.
    pub(super) fn read_optional<T>(&mut self, key: &Key<T, Perhaps>) -> Option<Option<T>> {
        match self.text_of(&key.definition) {
            Ok(None) => Some(None),
            Ok(Some(given)) => self.checked(key, key.parse(given)).map(Some),
            Err(error) => self.checked(key, Err(error)),
        }
    }

    /// Returns text that may be unset. Every text is valid.
    pub(super) fn text(&self, key: &Key<String, Perhaps>) -> Option<String> {
        self.raw(key.name()).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// Returns the text of a setting, unless it counts as unset.
    fn text_of(&self, definition: &Definition) -> Result<Option<&'a str>, ValueError> {
        match self.raw(definition.name) {
            Some("") if definition.empty_is_unset => Ok(None),
            Some("") if matches!(definition.default, Default::Text(_)) && definition.choices().is_empty() => {
                Err(ValueError::Empty)
            }
            given => Ok(given),
        }
    }
}
