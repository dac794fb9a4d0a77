use apache_avro::headers::{HeaderBuilder, RabinFingerprintHeader};

use apache_avro::schema_compatibility::SchemaCompatibility;

use super::*;
use crate::output::BUILT_IN;
use crate::output::schema::{KEY_SCHEMA, METADATA_SCHEMA, VALUE_SCHEMA};

fn hex(schema: &str) -> String {
    let text: &'static str = Box::leak(schema.to_owned().into_boxed_str());
    let header = single_object_header(&BuiltInSchema { file: "test", full_name: "test", text });
    header.unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The fingerprints were computed by Java's SchemaNormalization and by fastavro; both read our records in
/// `tests/readers.rs`.
#[test]
fn fingerprints_are_those_that_other_readers_compute() {
    assert_eq!(hex(VALUE_SCHEMA), "c301fe7f620bbf316df9");
    assert_eq!(hex(KEY_SCHEMA), "c301c70345637248018f");
    assert_eq!(hex(METADATA_SCHEMA), "c301ef97d2aa7bc8b30c");
    assert_eq!(hex(crate::output::schema::FRAME.text), "c30101deb538ee9affe8");
    assert_eq!(hex(NOTIFICATION_SCHEMA), "c3019f029d41273bd21f");
    // Java's fingerprint of the schema at the time, from issue 10.
    assert_eq!(hex(EARLIER[0].1), "c30138a434c24f242f47");
}

#[test]
fn logical_types_are_taken_out_wherever_they_stand() {
    let with = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
        {"name":"b","type":{"type":"array","items":{"type":"map","values":{"type":"int","logicalType":"date"}}}}]}"#;
    let without = with.replace(r#","logicalType":"timestamp-millis""#, "").replace(r#","logicalType":"date""#, "");
    assert_eq!(hex(with), hex(&without));
    assert_ne!(hex(with), hex(&with.replace("\"int\"", "\"long\"").replace("date", "time-micros")));
}

/// Values of earlier versions are never mistaken for current ones.
#[test]
fn every_schema_of_a_value_has_a_header_of_its_own() {
    let schemas = value_schemas().unwrap();
    assert_eq!(schemas.len(), 1 + EARLIER.len());
    for (index, (header, _)) in schemas.iter().enumerate() {
        assert!(schemas[index + 1..].iter().all(|(other, _)| other != header));
    }
    // The first version computed the fingerprint with the logical types left in.
    let (fingerprint, schema) = EARLIER[0];
    let parsed = Schema::parse_str(schema).unwrap();
    assert_eq!(RabinFingerprintHeader::from_schema(&parsed).build_header()[2..], fingerprint);
    for (fingerprint, schema) in EARLIER[1..].iter().chain(&EARLIER_METADATA).chain(&EARLIER_FRAMES) {
        let digits: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex(schema)[4..], digits);
    }
    // The schema of notifications has not changed; docs/RECORDS.md names both fingerprints.
    let parsed = Schema::parse_str(NOTIFICATION_SCHEMA).unwrap();
    let header = RabinFingerprintHeader::from_schema(&parsed).build_header();
    let earlier: String = header[2..].iter().map(|byte| format!("{byte:02x}")).collect();
    let docs = include_str!("../../docs/RECORDS.md");
    for fingerprint in [
        &earlier,
        &hex(VALUE_SCHEMA)[4..],
        &hex(KEY_SCHEMA)[4..],
        &hex(METADATA_SCHEMA)[4..],
        &hex(crate::output::schema::FRAME.text)[4..],
        &hex(NOTIFICATION_SCHEMA)[4..],
    ] {
        assert!(docs.contains(fingerprint), "{fingerprint} is not in docs/RECORDS.md");
    }
}

/// Readers that were written for a released version read what this one writes, and this one's schema reads what a released
/// version wrote: a subject of a registry can have any level of compatibility.
#[test]
fn every_schema_is_compatible_with_its_released_versions_in_both_directions() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/earlier");
    let mut released = std::collections::BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let (stem, text) = (file.file_stem().unwrap().to_str().unwrap(), std::fs::read_to_string(&file).unwrap());
        let (name, _fingerprint) = stem.rsplit_once('-').unwrap();
        let current = BUILT_IN.iter().find(|schema| schema.file.trim_end_matches(".avsc") == name);
        let current = current.unwrap_or_else(|| panic!("{name} is no schema any more: its topics have readers"));
        let [earlier, now] = [text.as_str(), current.text].map(|text| Schema::parse_str(text).unwrap());
        if let Err(error) = SchemaCompatibility::can_read(&earlier, &now) {
            panic!("{stem} cannot be read with the current schema: {error}");
        }
        if let Err(error) = SchemaCompatibility::can_read(&now, &earlier) {
            panic!("readers of {stem} cannot read what is written now: {error}");
        }
        released.insert(name.to_owned());
    }
    let names: Vec<&str> = released.iter().map(String::as_str).collect();
    assert_eq!(names, ["fragment", "fragment-key", "frame", "metadata", "notification"]);
}
