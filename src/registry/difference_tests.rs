use super::*;

fn schema(fields: &str) -> Schema {
    Schema::parse_str(&format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#)).unwrap()
}

#[test]
fn documentation_defaults_logical_types_and_names_of_records_do_not_matter() {
    let written = schema(
        r#"{"name":"a","type":["null",{"type":"long","logicalType":"timestamp-millis"}],"default":null,"doc":"When."},
           {"name":"b","type":{"type":"array","items":{"type":"record","name":"B","fields":[{"name":"c","type":"string"}]}}}"#,
    );
    let other = schema(
        r#"{"name":"a","type":["null","long"]},
           {"name":"b","type":{"type":"array","items":{"type":"record","name":"Other","fields":[{"name":"c","type":"string"}]}}}"#,
    );
    assert_eq!(difference(&written, &other), None);
}

#[test]
fn the_first_field_that_differs_is_named_with_its_path() {
    let written = schema(
        r#"{"name":"a","type":"long"},{"name":"b","type":{"type":"array","items":{"type":"record","name":"B","fields":[{"name":"c","type":"string"}]}}}"#,
    );
    let cases = [
        (r#"{"name":"a","type":"string"}"#, "field a is string there, and long is written"),
        (r#"{"name":"a","type":"long"}"#, "field b is missing there"),
        (r#"{"name":"x","type":"long"}"#, "field a is replaced by x there, and long is written"),
        (
            r#"{"name":"a","type":"long"},{"name":"b","type":{"type":"array","items":{"type":"record","name":"B","fields":[{"name":"c","type":"bytes"}]}}}"#,
            "field b.c is bytes there, and string is written",
        ),
        (
            r#"{"name":"a","type":"long"},{"name":"b","type":{"type":"array","items":{"type":"record","name":"B","fields":[{"name":"c","type":"string"}]}}},{"name":"d","type":"int"}"#,
            "field d is int there, and no such field is written",
        ),
    ];
    for (other, expected) in cases {
        let found = difference(&written, &schema(other)).unwrap().to_string();
        assert!(found.starts_with(expected), "{found}");
    }
    let key = Schema::parse_str("\"string\"").unwrap();
    let found = difference(&key, &Schema::parse_str("\"bytes\"").unwrap()).unwrap().to_string();
    assert_eq!(found, "the schema is bytes there, and string is written");
}
