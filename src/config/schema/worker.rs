//! The schema of a worker's file. In TOML, `group.id` is a table `group` with a key `id`; the schema describes that,
//! and also keys in quotation marks: the whole key, or the rest of it within a table.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::value::{References, accepted, any_text, property};
use super::{DIALECT, pattern_of};
use crate::config::connect_keys::{self, Accepts};
use crate::config::keys::WORKER_PREFIXES;
use crate::config::table;

/// A table of the file, or the file itself.
#[derive(Default)]
struct Table {
    /// The full key of the setting with the table's name, if there is one.
    setting: Option<String>,
    tables: BTreeMap<String, Table>,
    /// Whether other keys are allowed.
    is_open: bool,
}

impl Table {
    fn at(&mut self, key: &str) -> &mut Self {
        key.split('.').fold(self, |table, part| table.tables.entry(part.to_owned()).or_default())
    }

    /// Returns the settings of the table, each as the rest of its key within the table and as its full key.
    fn settings(&self) -> Vec<(String, &str)> {
        let mut found: Vec<(String, &str)> = Vec::new();
        for (part, table) in &self.tables {
            found.extend(table.setting.iter().map(|key| (part.clone(), key.as_str())));
            found.extend(table.settings().into_iter().map(|(rest, key)| (format!("{part}.{rest}"), key)));
        }
        found
    }

    fn schema(&self) -> Value {
        let mut properties = Map::new();
        for (rest, key) in self.settings() {
            properties.insert(rest, reference(key));
        }
        for (part, table) in self.tables.iter().filter(|(_, table)| table.is_open || !table.tables.is_empty()) {
            let inner = table.schema();
            let schema = match &table.setting {
                Some(key) => json!({ "anyOf": [reference(key), inner] }),
                None => inner,
            };
            properties.insert(part.clone(), schema);
        }
        let others = if self.is_open { reference("*") } else { false.into() };
        json!({ "type": "object", "properties": properties, "additionalProperties": others })
    }
}

fn reference(key: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{key}") })
}

/// Returns the schema of a worker's file in TOML.
pub fn worker() -> Value {
    let (mut root, mut definitions) = (Table::default(), Map::new());
    let ours = table::worker().map(|definition| (definition.name, definition)).chain(table::converter_keys());
    let ours = ours.map(|(name, definition)| (name, property(definition, References::Refused)));
    let connects = connect_keys::WORKER.iter().map(|key| (key.name, key));
    let is_refused = |accepts: Accepts| accepts == Accepts::Nothing;
    let connects = connects.filter(|(name, key)| !name.ends_with('*') && !is_refused(key.accepts));
    let connects: Vec<(&str, Value)> = connects.map(|(name, key)| (name, accepted(key))).collect();
    for (name, schema) in ours.chain(connects) {
        definitions.insert(name.to_owned(), schema);
        root.at(name).setting = Some(name.to_owned());
    }
    // Settings of librdkafka's clients, and those with which Kafka Connect's workers talk to each other.
    let open = connect_keys::WORKER.iter().filter(|key| !is_refused(key.accepts));
    let open = open.filter_map(|key| key.name.strip_suffix('*')).chain(WORKER_PREFIXES.iter().copied());
    let mut patterns = Map::new();
    for prefix in open {
        root.at(prefix.trim_end_matches('.')).is_open = true;
        patterns.insert(pattern_of(prefix), reference("*"));
    }
    let mut any = any_text();
    any["type"] = json!(["string", "number", "boolean", "object"]);
    any["additionalProperties"] = reference("*");
    any["description"] = "Passed on to librdkafka; docs/CONFIGURATION.md lists what cannot be set.".into();
    definitions.insert("*".to_owned(), any);
    let mut schema = root.schema();
    schema["$schema"] = DIALECT.into();
    schema["title"] = "Worker of kvs-connect".into();
    schema["patternProperties"] = patterns.into();
    schema["$defs"] = definitions.into();
    schema
}
