//! The service's URLs by its public endpoint rules, and the checks on a configured endpoint.

use std::net::IpAddr;

use url::Url;

use crate::error::EndpointError;
use crate::shown::shown;

/// A partition of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) id: &'static str,
    /// The prefix of its regions' names.
    prefix: &'static str,
    suffix: &'static str,
    dual_stack_suffix: &'static str,
}

const fn partition_of(
    id: &'static str,
    prefix: &'static str,
    suffix: &'static str,
    dual_stack_suffix: &'static str,
) -> Partition {
    Partition { id, prefix, suffix, dual_stack_suffix }
}

/// AWS's partitions, all of which have FIPS and dual stack endpoints. The last one is also used for regions that are
/// not known yet.
const PARTITIONS: [Partition; 8] = [
    partition_of("aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    partition_of("aws-us-gov", "us-gov-", "amazonaws.com", "api.aws"),
    partition_of("aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    partition_of("aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    partition_of("aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    partition_of("aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    partition_of("aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    partition_of("aws", "", "amazonaws.com", "api.aws"),
];

/// Returns the partition of a region, by the prefix of its name.
pub(crate) fn partition(region: &str) -> Partition {
    let found = PARTITIONS.iter().find(|partition| region.starts_with(partition.prefix));
    *found.unwrap_or(&PARTITIONS[PARTITIONS.len() - 1])
}

/// Returns the URL of the service's control plane in a region.
pub(crate) fn url(region: &str, fips: bool, dual_stack: bool) -> String {
    let partition = partition(region);
    let suffix = if dual_stack { partition.dual_stack_suffix } else { partition.suffix };
    let host = if fips { "kinesisvideo-fips" } else { "kinesisvideo" };
    format!("https://{host}.{region}.{suffix}")
}

/// Reads an endpoint: scheme, host and port, because the operations have their own paths. The scheme is https, or plain
/// http on this machine or if `plain_http` allows it.
pub(crate) fn parse(text: &str, plain_http: bool) -> Result<Url, EndpointError> {
    let url = Url::parse(text).ok().filter(|url| url.host().is_some() && matches!(url.scheme(), "http" | "https"));
    let endpoint = without_user(text);
    let Some(url) = url else { return Err(EndpointError::NotHttp { endpoint }) };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::WithUser { endpoint });
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(EndpointError::WithPath { endpoint });
    }
    if url.scheme() == "http" && !plain_http && !is_loopback(&url) {
        return Err(EndpointError::PlainHttp { endpoint });
    }
    Ok(url)
}

/// Returns only the host and port of a URL: the rest may contain a password.
pub(crate) fn server(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns an endpoint's text without user and password.
pub(crate) fn without_user(text: &str) -> String {
    shown(text.rsplit('@').next().unwrap_or_default())
}

/// Checks that a text can be used as an endpoint: `http://` or `https://`, host and port. Plain http to another machine
/// requires `plain_http`.
///
/// # Errors
/// What is wrong with the text.
pub fn check(text: &str, plain_http: bool) -> Result<(), EndpointError> {
    parse(text, plain_http).map(|_| ())
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
