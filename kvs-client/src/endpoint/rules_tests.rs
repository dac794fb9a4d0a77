#![allow(clippy::unwrap_used)]

use aws_sdk_kinesisvideo::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

use super::*;

/// Returns the URL by AWS's SDK for Rust.
fn theirs(region: &str, fips: bool, dual_stack: bool) -> String {
    let params = Params::builder().region(region).use_fips(fips).use_dual_stack(dual_stack).build().unwrap();
    let resolver = DefaultResolver::new();
    let resolved = futures::executor::block_on(ResolveEndpoint::resolve_endpoint(&resolver, &params));
    resolved.unwrap().url().to_owned()
}

#[test]
fn urls_follow_the_services_endpoint_rules() {
    let regions = [
        "us-east-1",
        "us-west-2",
        "eu-central-1",
        "ap-southeast-2",
        "sa-east-1",
        "me-south-1",
        "af-south-1",
        "il-central-1",
        "mx-central-1",
        "ca-central-1",
        "cn-north-1",
        "cn-northwest-1",
        "us-gov-west-1",
        "us-gov-east-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "us-isof-south-1",
        "eusc-de-east-1",
        "xx-nowhere-9",
    ];
    for region in regions {
        for (fips, dual_stack) in [(false, false), (true, false), (false, true), (true, true)] {
            let ours = url(region, fips, dual_stack);
            assert_eq!(ours, theirs(region, fips, dual_stack), "{region} fips {fips} dual stack {dual_stack}");
        }
    }
}

#[test]
fn plain_http_is_allowed_on_this_machine_or_explicitly() {
    for good in ["http://127.0.0.1:9100", "http://[::1]:1/", "http://localhost:80", "https://anywhere.example"] {
        assert!(parse(good, false).is_ok(), "{good}");
    }
    let refused = parse("http://10.0.0.7:9100", false).unwrap_err();
    assert!(
        matches!(&refused, EndpointError::PlainHttp { endpoint } if endpoint == "http://10.0.0.7:9100"),
        "{refused}"
    );
    assert!(parse("http://10.0.0.7:9100", true).is_ok());
    for bad in ["", "127.0.0.1:9100", "ftp://host", "https://"] {
        assert!(parse(bad, true).is_err(), "{bad}");
    }
}

#[test]
fn endpoints_with_a_user_or_path_are_refused_without_showing_passwords() {
    for (bad, expected) in [
        ("https://host.example/kvs", "\"https://host.example/kvs\" has a path"),
        ("https://host.example?a=b", "has a path or a query"),
        ("https://host.example/#a", "has a path or a query"),
        ("https://user:sesame@host.example", "\"host.example\" has a user or a password"),
        ("https://sesame@host.example/", "has a user or a password"),
        ("https://user:ses@me@:sesame@:bad", "\":bad\" is not an http or https URL"),
    ] {
        let error = parse(bad, true).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("sesame"), "{error}");
    }
    let long = parse(&format!("ftp://{}\u{202E}", "a".repeat(1 << 20)), true).unwrap_err().to_string();
    assert!(long.len() < 600 && long.ends_with("is not an http or https URL"), "{long}");
}
