//! JSON Schemas (2020-12) of workers' and connectors' files, so that an editor completes and checks them as they are written.
//!
//! **Contract.** What a schema refuses, the loader refuses, too, but for three things that nobody has to write: spaces around a
//! value, a value that is empty where that is the same as none, and a TOML key of which only a part in the middle is in
//! quotation marks. The loader knows more: rules among settings, and what a reference to a secret resolves to.

mod range;
mod value;
mod worker;

use serde_json::{Map, Value, json};

use super::connect_keys::{self, Accepts};
use super::table::{self, Default};
use value::{References, accepted, property};

pub use worker::worker;

/// Which JSON Schema it is.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Returns the schema of a connector's file: `{"name": …, "config": {…}}`.
pub fn connector() -> Value {
    let mut properties = Map::new();
    let mut patterns = Map::new();
    for definition in table::connector() {
        properties.insert(definition.name.to_owned(), property(definition, References::of(definition)));
    }
    patterns.insert(pattern_of(table::TOPIC_CONFIG.name), property(&table::TOPIC_CONFIG, References::Allowed));
    for key in connect_keys::CONNECTOR {
        match key.name.strip_suffix('*') {
            // What is refused behind a prefix is left out, for some of it may be accepted; so it is unknown to the schema.
            Some(_) if key.accepts == Accepts::Nothing => {}
            Some(prefix) => _ = patterns.insert(pattern_of(prefix), accepted(key)),
            None => _ = properties.insert(key.name.to_owned(), accepted(key)),
        }
    }
    let is_required = |definition: &&table::Definition| definition.default == Default::Required;
    let required = table::connector().filter(is_required).map(|definition| definition.name);
    // The name may be beside the settings, too.
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

/// Returns the pattern of all keys that begin so and go on.
fn pattern_of(prefix: &str) -> String {
    format!("^{}.", prefix.replace('.', "\\."))
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
