#![allow(clippy::unwrap_used)]

use serde_json::Value;

use super::from_slice;

#[test]
fn a_duplicate_key_is_an_error_at_any_depth_and_in_any_spelling() {
    let fine = r#"{"a":{"a":[{"a":1},{"a":-2.5}]},"b":[null,true,"a","a"],"A":18446744073709551615}"#;
    assert_eq!(from_slice::<Value>(fine.as_bytes()).unwrap(), serde_json::from_str::<Value>(fine).unwrap());
    for twice in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":1,"b":2,"\u0061":3}"#,
        r#"{"config":{"topic":"one","topic":"two"}}"#,
        r#"[{"x":[{"a":1,"a":2}]}]"#,
    ] {
        let error = from_slice::<Value>(twice.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("occurs twice at line 1 column"), "{error}");
    }
    assert!(from_slice::<Value>(b"{").unwrap_err().is_eof());
    assert!(from_slice::<u64>(b"\"x\"").unwrap_err().to_string().contains("expected u64"));
}
