#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn faults_that_can_never_strike_are_refused() {
    let fault = Fault::new(FaultKind::ServeIncomplete {});
    assert_eq!(fault.check(), Ok(()));
    assert!(fault.clone().api("GetTea").check().unwrap_err().to_string().contains("GetTea"));
    assert!(fault.probability(1.5).check().unwrap_err().to_string().contains("1.5"));
}

#[test]
fn faults_are_read_and_written_as_flat_json() {
    let texts = [
        r#"{"kind":"refuse","status":500,"error_type":"InternalFailure"}"#,
        r#"{"api":"*","probability":0.05,"count":0,"from_ms":1,"until_ms":2,"kind":"refuse","status":400,"error_type":"X","message":"m"}"#,
        r#"{"kind":"respond","status":200,"content_type":"text/html","body":"<html>"}"#,
        r#"{"api":"ListStreams","kind":"delay","duration_ms":5}"#,
        r#"{"stream":"front-door","kind":"cut","at_byte":100000,"how":"reset"}"#,
        r#"{"kind":"stall","at_byte":1,"duration_ms":2}"#,
        r#"{"kind":"drip","at_byte":1,"bytes_per_second":1}"#,
        r#"{"kind":"error_tag","after_fragments":1,"error_id":5000,"error_code":"X"}"#,
        r#"{"kind":"end_session","after_ms":1}"#,
        r#"{"api":"GetMediaForFragmentList","kind":"fragment_error","fragments":["17"],"goes_on":true}"#,
        r#"{"kind":"fragment_error","fragments":["17"],"error_id":1,"error_code":"X","tag_names":"documented"}"#,
        r#"{"kind":"replace","fragment":"17","bytes":"GkXfow=="}"#,
        r#"{"kind":"serve_incomplete"}"#,
        r#"{"api":"ListFragments","kind":"omit","fragments":1}"#,
        r#"{"api":"GetMediaForFragmentList","kind":"leave_out","index":1}"#,
    ];
    for text in texts {
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&serde_json::to_string(&fault).unwrap()).unwrap(), fault, "{text}");
    }
    let first: Fault = serde_json::from_str(texts[0]).unwrap();
    assert_eq!((first.api.as_str(), first.count, first.probability), ("GetMedia", 1, 1.0));
    for (text, said) in [
        (r#"{"kind":"explode"}"#, "explode"),
        (r#"{"kind":"delay","duration_ms":1,"durationn_ms":2}"#, "durationn_ms"),
        (r#"{"kind":"delay"}"#, "duration_ms"),
        (r#"{"kind":"replace","fragment":"1","bytes":"?"}"#, "Invalid"),
        (r#"{"kind":"delay","duration_ms":1,"count":"many"}"#, "many"),
        ("[]", "map"),
    ] {
        let error = serde_json::from_str::<Fault>(text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}
