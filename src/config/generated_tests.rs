//! The files that are generated from the tables of settings are up to date.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use super::{reference, schema};

/// The command that regenerates the files.
const COMMAND: &str = "KVS_CONNECT_WRITE=1 cargo test -p kvs-connect --lib generated";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a file with its expected content, or writes it if requested.
fn expect(name: &str, expected: &str, is_same: impl Fn(&str, &str) -> bool) {
    let found = std::fs::read_to_string(file(name)).unwrap_or_default();
    if is_same(&found, expected) {
        return;
    }
    assert!(std::env::var_os("KVS_CONNECT_WRITE").is_some(), "{name} is out of date; run: {COMMAND}");
    std::fs::write(file(name), expected).unwrap();
}

#[test]
fn the_documentation_has_every_setting_and_every_rule() {
    let name = "docs/CONFIGURATION.md";
    let document = std::fs::read_to_string(file(name)).unwrap();
    let (expected, tables) = reference::filled(&document).unwrap();
    assert_eq!(tables, 6);
    expect(name, &expected, |found, expected| found == expected);
}

#[test]
fn the_schemas_of_files_have_every_setting() {
    for (name, expected) in
        [("schemas/worker.schema.json", schema::worker()), ("schemas/connector.schema.json", schema::connector())]
    {
        let text = format!("{}\n", serde_json::to_string_pretty(&expected).unwrap());
        // Members have no order.
        expect(name, &text, |found, _| {
            serde_json::from_str(found).is_ok_and(|found: serde_json::Value| found == expected)
        });
    }
}

#[test]
fn a_marker_that_names_no_table_is_an_error() {
    use reference::MarkerError::{Endless, Unknown};
    let unknown = reference::filled("a\n<!-- generated: none -->\n<!-- end -->\n");
    assert_eq!(unknown.unwrap_err(), Unknown { name: "none".to_owned() });
    let endless = reference::filled("<!-- generated: worker -->\n");
    assert_eq!(endless.unwrap_err(), Endless { name: "worker".to_owned() });
    assert_eq!(reference::filled("nothing").unwrap(), ("nothing".to_owned(), 0));
}
