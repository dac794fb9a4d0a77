//! What the connector and its readers rely on, asked of the real registry.

use serde_json::json;

use super::Registry;

const FRAGMENT: &str = include_str!("../../../schemas/fragment.avsc");

/// Returns the schema without the spaces between its tokens, which is the same schema to Avro.
fn condensed(schema: &str) -> String {
    serde_json::from_str::<serde_json::Value>(schema).unwrap().to_string()
}

#[test]
fn a_schema_that_was_registered_is_found_by_its_id_and_by_its_text() {
    let registry = Registry::shared();
    let id = registry.register("found-value", FRAGMENT);
    let (status, response) = registry.call("GET", &format!("/schemas/ids/{id}"), None);
    assert_eq!((status, response["schema"].as_str()), (200, Some(FRAGMENT)), "{response}");
    let (status, response) = registry.call("POST", "/subjects/found-value", Some(&json!({ "schema": FRAGMENT })));
    assert_eq!((status, &response["id"], &response["version"]), (200, &json!(id), &json!(1)), "{response}");
    // Registered again it is the same version.
    assert_eq!(registry.register("found-value", FRAGMENT), id);
    assert_eq!(registry.versions("found-value"), [1]);
    // Another subject shares the id.
    assert_eq!(registry.register("found-too-value", FRAGMENT), id);
}

#[test]
fn what_is_unknown_has_the_codes_of_confluents_api() {
    let registry = Registry::shared();
    let cases = [("/subjects/unknown-value/versions", 40401), ("/schemas/ids/999999", 40403)];
    for (path, code) in cases {
        let (status, response) = registry.call("GET", path, None);
        assert_eq!((status, &response["error_code"]), (404, &json!(code)), "{path}: {response}");
    }
    assert!(registry.versions("unknown-value").is_empty());
    let bad = json!({ "schema": r#"{"type":"nothing"}"# });
    let (status, response) = registry.call("POST", "/subjects/bad-value/versions", Some(&bad));
    assert_eq!((status, &response["error_code"]), (422, &json!(42201)), "{response}");
}

/// Why the connector always has to send the same bytes.
#[test]
fn other_whitespace_is_another_schema() {
    let registry = Registry::shared();
    let id = registry.register("spaces-value", FRAGMENT);
    assert_ne!(registry.register("spaces-value", &condensed(FRAGMENT)), id);
    assert_eq!(registry.versions("spaces-value"), [1, 2]);
}

#[test]
fn an_incompatible_schema_is_refused_once_a_level_is_set() {
    let registry = Registry::shared();
    registry.register("level-value", FRAGMENT);
    registry.set_compatibility("level-value", "BACKWARD");
    // A reader with this schema finds no value for the field in what was written before.
    let mut schema: serde_json::Value = serde_json::from_str(FRAGMENT).unwrap();
    schema["fields"].as_array_mut().unwrap().push(json!({ "name": "needed", "type": "string" }));
    let body = json!({ "schema": schema.to_string() });
    let (status, response) = registry.call("POST", "/subjects/level-value/versions", Some(&body));
    assert_eq!((status, &response["error_code"]), (409, &json!(409)), "{response}");
    let (status, response) = registry.call("POST", "/compatibility/subjects/level-value/versions/latest", Some(&body));
    assert_eq!((status, &response["is_compatible"]), (200, &json!(false)), "{response}");
    assert_eq!(registry.versions("level-value"), [1]);
    registry.set_compatibility("level-value", "NONE");
    let (status, response) = registry.call("POST", "/subjects/level-value/versions", Some(&body));
    assert_eq!(status, 200, "{response}");
}

/// The data is in memory.
#[test]
fn a_registry_that_was_down_is_empty_at_the_same_url() {
    let mut registry = Registry::start();
    let url = registry.url();
    registry.register("lost-value", FRAGMENT);
    registry.down();
    assert!(std::net::TcpStream::connect(registry.address()).is_err(), "something still listens");
    registry.up();
    assert_eq!(registry.url(), url);
    assert!(registry.versions("lost-value").is_empty());
}
