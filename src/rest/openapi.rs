//! The OpenAPI document, generated from the routes and the wire types.
//!
//! **Contract.** The document describes the request and responses of each path that is served. It is served, and kept in
//! `schemas/openapi.json`; a test checks that the two are equal.

use std::collections::BTreeMap;

use schemars::Schema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::parameter::Parameter;
use super::routes::{Body, Method, Operation, Response, Routes};
use super::schemas::Schemas;

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

/// Makes the document of these routes.
pub(super) fn document(routes: &[Routes]) -> Document {
    let mut schemas = Schemas::new();
    let mut paths: BTreeMap<&'static str, BTreeMap<Method, OperationObject>> = BTreeMap::new();
    for (path, method, operation) in routes.iter().flat_map(|routes| &routes.operations) {
        paths.entry(path).or_default().insert(*method, object(operation, &mut schemas));
    }
    let scheme = |scheme| SecurityScheme { r#type: "http", scheme };
    let (mut definitions, returned) = schemas.into_definitions();
    definitions.extend(returned);
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
            schemas: definitions,
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

/// Returns the document as it is served and kept: JSON that people can read.
pub(super) fn text(document: &Document) -> String {
    // The document consists of texts, numbers and flags, which always serialise.
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
