use super::*;

#[test]
fn names_and_arns() {
    let name: StreamRef = "front-door_1.x".parse().unwrap();
    assert_eq!((name.name(), name.arn()), ("front-door_1.x", None));
    let text = "arn:aws-us-gov:kinesisvideo:us-gov-west-1:123456789012:stream/front-door/1511852109126";
    let arn: StreamRef = text.parse().unwrap();
    assert_eq!((arn.name(), arn.arn()), ("front-door", Some(text)));
}

#[test]
fn names_and_arns_that_the_service_would_refuse_are_refused() {
    let long = "a".repeat(257);
    let unicode = "kamera-tür";
    for text in [
        "",
        "front door",
        "a/b",
        "../etc",
        "a\"b",
        unicode,
        &long,
        "arn:aws:s3:::bucket",
        "arn:aws:kinesisvideo:us-east-1:1:stream/a b/1",
    ] {
        assert!(text.parse::<StreamRef>().is_err(), "{text:?}");
    }
}
