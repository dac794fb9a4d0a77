//! JSON Schemas (2020-12) for workers' and connectors' files, with which an editor completes and checks them.
//!
//! **Contract.** The loader refuses whatever a schema refuses, with three exceptions that no file needs: spaces around
//! a value, an empty value where that means unset, and a TOML key with only a middle part in quotation marks. The
//! loader also checks rules between settings, and values of references to secrets.

mod range;
mod value;
mod worker;

use serde_json::{Map, Value, json};

use super::connect_keys::{self, Accepts};
use super::table::{self, Default};
use value::{References, accepted, property};

pub use worker::worker;

/// The dialect of JSON Schema.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Returns the schema of a connector's file: `{"name": …, "config": {…}}`.
pub fn connector() -> Value {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    for definition in table::connector() {
        properties.insert(definition.name.to_owned(), property(definition, References::of(definition)));
    }
    for (name, definition) in table::converter_keys() {
        properties.insert(name.to_owned(), property(definition, References::of(definition)));
    }
    for prefix in &table::PREFIXES {
        patterns.insert(pattern_of(prefix.name), property(prefix, References::Allowed));
    }
    for key in connect_keys::CONNECTOR {
        match key.name.strip_suffix('*') {
            // A prefix whose settings are refused is left out, because some names within it are accepted; the rest is
            // unknown to the schema.
            Some(_) if key.accepts == Accepts::Nothing => {}
            Some(prefix) => _ = patterns.insert(pattern_of(prefix), accepted(key)),
            None => _ = properties.insert(key.name.to_owned(), accepted(key)),
        }
    }
    let is_required = |definition: &&table::Definition| definition.default == Default::Required;
    let required = table::connector().filter(is_required).map(|definition| definition.name);
    // The name may also be beside the settings.
    let required: Vec<&str> = required.filter(|name| *name != NAME).collect();
    json!({
        "$schema": DIALECT,
        "title": "Connector of kvs-connect",
        "type": "object",
        "required": ["config"],
        "additionalProperties": false,
        "properties": {
            NAME: properties[NAME],
            "config": {
                "description": "The connector's settings.",
                "type": "object",
                "required": required,
                "properties": properties,
                "patternProperties": patterns,
                "additionalProperties": false,
            },
        },
        "anyOf": [
            { "required": [NAME] },
            { "properties": { "config": { "required": [NAME] } } },
        ],
    })
}

const NAME: &str = table::connector::NAME.name();

/// Returns the pattern for all keys that begin with a prefix and are longer.
fn pattern_of(prefix: &str) -> String {
    format!("^{}.", prefix.replace('.', "\\."))
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
