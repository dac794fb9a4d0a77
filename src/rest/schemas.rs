//! JSON Schemas of the types that requests and responses have.

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Makes schemas of types, and collects those that have names.
pub(super) struct Schemas {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
}

impl Schemas {
    /// Returns a collection that has no schema yet.
    pub(super) fn new() -> Self {
        let generator = |contract: Contract| {
            let settings = SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
                settings.contract = contract.clone();
            });
            settings.into_generator()
        };
        Self { requests: generator(Contract::Deserialize), responses: generator(Contract::Serialize) }
    }

    /// Returns the schema of what is taken.
    pub(super) fn request<T: JsonSchema>(&mut self) -> Schema {
        self.requests.subschema_for::<T>()
    }

    /// Returns the schema of what is returned.
    pub(super) fn response<T: JsonSchema>(&mut self) -> Schema {
        self.responses.subschema_for::<T>()
    }

    /// Returns the schemas that have names, by name: those of what is taken, and those of what is returned.
    pub(super) fn into_definitions(mut self) -> (Map<String, Value>, Map<String, Value>) {
        (self.requests.take_definitions(true), self.responses.take_definitions(true))
    }
}

/// A JSON object of any content.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(super) struct AnyObject(Map<String, Value>);
