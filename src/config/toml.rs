//! Reads a worker's settings from TOML into flat keys.

use std::collections::BTreeMap;

use figment::Figment;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};

/// The key under which the parser returns a date or a time.
const DATE: &str = "$__toml_private_datetime";

/// Reads TOML. Returns settings, and keys with what is wrong with them. `group.id = "x"` is a table in TOML, and a flat
/// key here.
pub(super) fn parse(text: &str) -> (BTreeMap<String, String>, Vec<(String, String)>) {
    let mut read = Flat::default();
    match Figment::from(Toml::string(text)).extract::<Dict>() {
        Ok(dict) => read.flatten("", dict),
        Err(errors) => {
            read.problems = errors.into_iter().map(|error| (error.path.join("."), error.kind.to_string())).collect();
        }
    }
    (read.settings, read.problems)
}

#[derive(Default)]
struct Flat {
    settings: BTreeMap<String, String>,
    problems: Vec<(String, String)>,
}

impl Flat {
    fn flatten(&mut self, prefix: &str, dict: Dict) {
        for (name, value) in dict {
            let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
            match value {
                Value::Dict(_, inner) if inner.contains_key(DATE) => self.is_no_value(key, "a date or a time"),
                Value::Dict(_, inner) => self.flatten(&key, inner),
                Value::Array(..) => self.is_no_value(key, "a list"),
                Value::String(_, text) => self.insert(key, text),
                Value::Char(_, one) => self.insert(key, one.to_string()),
                Value::Bool(_, value) => self.insert(key, value.to_string()),
                Value::Num(_, number) => self.insert(
                    key,
                    match (number.to_i128(), number.to_f64()) {
                        (Some(whole), _) => whole.to_string(),
                        (None, Some(fraction)) => fraction.to_string(),
                        (None, None) => String::new(),
                    },
                ),
                Value::Empty(..) => self.is_no_value(key, "nothing"),
            }
        }
    }

    /// The value is not shown, because it may be a secret.
    fn is_no_value(&mut self, key: String, what: &str) {
        let reason = format!("text, a number, true or false was expected, not {what}; put it in quotation marks");
        self.problems.push((key, reason));
    }

    /// Adds a setting. `"a.b" = 1` and `[a] b = 2` are two keys in TOML, but the same setting.
    fn insert(&mut self, key: String, value: String) {
        if self.settings.insert(key.clone(), value).is_some() {
            self.problems.push((key, "is set twice, once in quotation marks and once as part of a table".to_owned()));
        }
    }
}

#[cfg(test)]
#[path = "toml_tests.rs"]
mod tests;
