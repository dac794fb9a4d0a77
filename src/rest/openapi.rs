//! The OpenAPI document, generated from the routes and the wire types.
//!
//! **Contract.** The document describes the request and responses of each path that is served. It is served, and kept in
//! `schemas/openapi.json`; a test checks that the two are equal.

use std::collections::BTreeMap;

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::routes::{Body, Method, Operation, Response, Routes};

/// The version of OpenAPI: the first one whose schemas are JSON Schema.
const OPENAPI_VERSION: &str = "3.1.0";

/// The document.
#[derive(Serialize)]
pub(super) struct Document {
    openapi: &'static str,
    info: Info,
    /// How callers authenticate: not at all where the worker has no users.
    security: [BTreeMap<&'static str, Vec<&'static str>>; 3],
    paths: BTreeMap<&'static str, BTreeMap<Method, OperationObject>>,
    components: Components,
}

#[derive(Serialize)]
struct Info {
    title: &'static str,
    version: &'static str,
    description: &'static str,
    license: License,
}

#[derive(Serialize)]
struct License {
    name: &'static str,
    identifier: &'static str,
}

#[derive(Serialize)]
struct Components {
    schemas: Map<String, Value>,
    #[serde(rename = "securitySchemes")]
    security_schemes: BTreeMap<&'static str, SecurityScheme>,
}

#[derive(Serialize)]
struct SecurityScheme {
    r#type: &'static str,
    scheme: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OperationObject {
    operation_id: &'static str,
    tags: [&'static str; 1],
    summary: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parameters: Vec<Parameter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body: Option<RequestBody>,
    responses: BTreeMap<u16, ResponseObject>,
}

#[derive(Serialize)]
struct RequestBody {
    required: bool,
    content: BTreeMap<&'static str, MediaType>,
}

#[derive(Serialize)]
struct ResponseObject {
    description: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    content: BTreeMap<&'static str, MediaType>,
}

#[derive(Serialize)]
struct MediaType {
    schema: Schema,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<Value>,
}

/// A parameter of a path or of a query.
#[derive(Clone, Serialize)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    r#in: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    required: bool,
    description: &'static str,
    schema: ParameterSchema,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<ParameterValue>,
    #[serde(flatten)]
    style: Option<Style>,
}

/// How a list is written in a query.
#[derive(Clone, Serialize)]
struct Style {
    style: &'static str,
    explode: bool,
}

/// The schema of a parameter.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ParameterSchema {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#enum: Option<&'static [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<ParameterValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Box<ParameterSchema>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<&'static [&'static str]>,
}

/// The value of a parameter.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum ParameterValue {
    Flag(bool),
    Number(u32),
    Text(&'static str),
}

impl Parameter {
    fn new(r#in: &'static str, name: &'static str, description: &'static str, schema: ParameterSchema) -> Self {
        Self { name, r#in, required: r#in == "path", description, schema, example: None, style: None }
    }

    /// Describes a text in a path, of at most `max_chars` characters if bounded.
    pub(super) fn text(
        name: &'static str,
        description: &'static str,
        max_chars: Option<u32>,
        example: &'static str,
    ) -> Self {
        let schema = ParameterSchema {
            r#type: "string",
            min_length: Some(1),
            max_length: max_chars,
            ..ParameterSchema::default()
        };
        Self { example: Some(ParameterValue::Text(example)), ..Self::new("path", name, description, schema) }
    }

    /// Describes a number in a path, from 0.
    pub(super) fn number(name: &'static str, description: &'static str, example: u32) -> Self {
        let schema = ParameterSchema {
            r#type: "integer",
            format: Some("int32"),
            minimum: Some(0),
            ..ParameterSchema::default()
        };
        Self { example: Some(ParameterValue::Number(example)), ..Self::new("path", name, description, schema) }
    }

    /// Describes a flag of a query, off by default.
    pub(super) fn flag(name: &'static str, description: &'static str) -> Self {
        let schema = ParameterSchema {
            r#type: "boolean",
            default: Some(ParameterValue::Flag(false)),
            ..ParameterSchema::default()
        };
        Self::new("query", name, description, schema)
    }

    /// Describes a choice of a query; the first one is the default.
    pub(super) fn choice(name: &'static str, description: &'static str, choices: &'static [&'static str]) -> Self {
        let default = choices.first().copied().map(ParameterValue::Text);
        let schema = ParameterSchema { r#type: "string", r#enum: Some(choices), default, ..ParameterSchema::default() };
        Self::new("query", name, description, schema)
    }

    /// Describes a list of texts in a query, each given as a parameter of its own.
    pub(super) fn list(name: &'static str, description: &'static str, example: &'static [&'static str]) -> Self {
        let items = Box::new(ParameterSchema { r#type: "string", ..ParameterSchema::default() });
        let schema = ParameterSchema {
            r#type: "array",
            items: Some(items),
            example: Some(example),
            ..ParameterSchema::default()
        };
        let style = Some(Style { style: "form", explode: true });
        Self { style, ..Self::new("query", name, description, schema) }
    }

    /// Restricts a text to a pattern.
    pub(super) fn pattern(mut self, pattern: &'static str) -> Self {
        self.schema.pattern = Some(pattern);
        self
    }
}

/// Generates the schemas of types, and collects those that have names.
pub(super) struct Schemas {
    requests: SchemaGenerator,
    responses: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
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

    /// Returns the schema of a request's type.
    pub(super) fn request<T: JsonSchema>(&mut self) -> Schema {
        self.requests.subschema_for::<T>()
    }

    /// Returns the schema of a response's type.
    pub(super) fn response<T: JsonSchema>(&mut self) -> Schema {
        self.responses.subschema_for::<T>()
    }

    fn into_definitions(mut self) -> Map<String, Value> {
        let mut all = self.requests.take_definitions(true);
        all.extend(self.responses.take_definitions(true));
        all
    }
}

/// Generates the document for these routes.
pub(super) fn document(routes: &[Routes]) -> Document {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<&'static str, BTreeMap<Method, OperationObject>> = BTreeMap::new();
    for (path, method, operation) in routes.iter().flat_map(|routes| &routes.operations) {
        paths.entry(path).or_default().insert(*method, object(operation, &mut schemas));
    }
    let scheme = |scheme| SecurityScheme { r#type: "http", scheme };
    Document {
        openapi: OPENAPI_VERSION,
        info: Info {
            title: "kvs-connect",
            version: env!("CARGO_PKG_VERSION"),
            description: "Kafka Connect's REST API over any worker of a group. Every error is {\"error_code\", \"message\"}.",
            license: License { name: "Apache-2.0", identifier: "Apache-2.0" },
        },
        security: [BTreeMap::new(), BTreeMap::from([("basic", Vec::new())]), BTreeMap::from([("bearer", Vec::new())])],
        paths,
        components: Components {
            schemas: schemas.into_definitions(),
            security_schemes: BTreeMap::from([("basic", scheme("basic")), ("bearer", scheme("bearer"))]),
        },
    }
}

fn object(operation: &Operation, schemas: &mut Schemas) -> OperationObject {
    let body = operation.body.as_ref().map(|Body { schema, example, .. }| {
        // A test checks that the example is JSON, and that the handler accepts it.
        let media = MediaType { schema: schema(schemas), example: serde_json::from_str(example).ok() };
        RequestBody { required: true, content: BTreeMap::from([("application/json", media)]) }
    });
    let mut response = |(&status, Response { description, content }): (&u16, &Response)| {
        let content = content.iter().map(|(kind, schema)| {
            let media = MediaType { schema: schema(schemas), example: None };
            (*kind, media)
        });
        (status, ResponseObject { description, content: content.collect() })
    };
    let responses = operation.responses.iter().map(&mut response).collect();
    OperationObject {
        operation_id: operation.id,
        tags: [operation.tag],
        summary: operation.summary,
        description: operation.description,
        parameters: operation.parameters.clone(),
        request_body: body,
        responses,
    }
}

/// Any object of JSON.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub(super) struct AnyObject(Map<String, Value>);

/// Returns the document as it is served and kept: indented JSON.
pub(super) fn text(document: &Document) -> String {
    // The document consists of texts, numbers and flags, which always serialise.
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
