#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::*;
use crate::rest;

/// Set this variable to regenerate the file.
const UPDATE: &str = "UPDATE_OPENAPI";

#[test]
fn the_document_in_the_repository_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/openapi.json");
    let made = text(&document(&rest::routes()));
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == made,
        "schemas/openapi.json differs from what the routes and their types say; regenerate it with\n\n    \
         {UPDATE}=1 cargo test -p kvs-connect --lib openapi\n\nand look at what has changed (git diff)"
    );
}

#[test]
fn every_reference_leads_somewhere_and_no_two_schemas_have_one_name() {
    let document = document(&rest::routes());
    let known: Vec<&String> = document.components.schemas.keys().collect();
    let made = text(&document);
    let mut references = 0;
    for reference in made.split("\"$ref\": \"").skip(1) {
        let name = reference.split('"').next().unwrap().strip_prefix("#/components/schemas/").unwrap();
        assert!(known.iter().any(|known| *known == name), "{name} is not there");
        references += 1;
    }
    assert!(references > 100, "{references}");
    // The request and response types of the same name are equal.
    let mut schemas = Schemas::new();
    for (_, _, operation) in rest::routes().iter().flat_map(|routes| &routes.operations) {
        object(operation, &mut schemas);
    }
    let (taken, returned) = schemas.into_definitions();
    for (name, schema) in &taken {
        assert!(returned.get(name).is_none_or(|other| other == schema), "{name}: {schema} and {}", returned[name]);
    }
    assert!(made.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_operation_has_an_id_of_its_own_and_an_example_that_it_takes() {
    let all = rest::routes();
    let operations: Vec<&Operation> =
        all.iter().flat_map(|routes| &routes.operations).map(|(_, _, operation)| operation).collect();
    let ids: std::collections::BTreeSet<&str> = operations.iter().map(|operation| operation.id).collect();
    assert_eq!(ids.len(), operations.len());
    for (path, _, operation) in all.iter().flat_map(|routes| &routes.operations) {
        if let Some(body) = &operation.body {
            assert!((body.takes_example)(body.example), "{}: {}", operation.id, body.example);
        }
        let described: Vec<&str> = operation.parameters.iter().map(|parameter| parameter.name).collect();
        for part in path.split('{').skip(1) {
            let name = part.split('}').next().unwrap();
            assert!(described.contains(&name), "{path}: {name} is not described");
        }
    }
}
