use apache_avro::headers::{HeaderBuilder, RabinFingerprintHeader};

use super::*;

fn hex(schema: &str) -> String {
    single_object_header("test", schema).unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The fingerprints were computed by Java's SchemaNormalization and by fastavro; both read our records in
/// `tests/readers.rs`.
#[test]
fn fingerprints_are_those_that_other_readers_compute() {
    assert_eq!(hex(VALUE_SCHEMA), "c301a6fa48dbb5069a48");
    assert_eq!(hex(KEY_SCHEMA), "c301c70345637248018f");
    assert_eq!(hex(METADATA_SCHEMA), "c301c1fc9b07029fe2e8");
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
    for (fingerprint, schema) in EARLIER {
        // The earlier version computed the fingerprint with the logical types left in.
        let parsed = Schema::parse_str(schema).unwrap();
        assert_eq!(RabinFingerprintHeader::from_schema(&parsed).build_header()[2..], fingerprint);
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
        &hex(NOTIFICATION_SCHEMA)[4..],
    ] {
        assert!(docs.contains(fingerprint), "{fingerprint} is not in docs/RECORDS.md");
    }
}
