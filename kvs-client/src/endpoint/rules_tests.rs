#![allow(clippy::unwrap_used)]

use aws_sdk_kinesisvideo::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};

use super::*;

/// What AWS's SDK for Rust makes of the service's rules.
fn theirs(region: &str, fips: bool, dual_stack: bool) -> String {
    let params = Params::builder().region(region).use_fips(fips).use_dual_stack(dual_stack).build().unwrap();
    let resolver = DefaultResolver::new();
    let resolved = futures::executor::block_on(ResolveEndpoint::resolve_endpoint(&resolver, &params));
    resolved.unwrap().url().to_owned()
}

#[test]
fn urls_are_those_of_the_services_rules() {
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
fn plain_http_is_for_this_machine_or_asked_for() {
    for good in ["http://127.0.0.1:9100", "http://[::1]:1/", "http://localhost:80", "https://anywhere.example"] {
        assert!(parse(good, false).is_ok(), "{good}");
    }
    assert!(parse("http://10.0.0.7:9100", false).unwrap_err().contains("kvs.endpoint.plain.http"));
    assert!(parse("http://10.0.0.7:9100", true).is_ok());
    for bad in ["", "127.0.0.1:9100", "ftp://host", "https://"] {
        assert!(parse(bad, true).is_err(), "{bad}");
    }
}
