//! URLs of the service, as its public endpoint rules give them: one host for control plane and data plane.

use std::net::IpAddr;

use url::Url;

use crate::shown::shown;

/// A partition of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) id: &'static str,
    /// What its regions begin with.
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

/// All of them have FIPS and dual stack endpoints. The last one is also that of regions nobody knows yet.
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

pub(crate) fn partition(region: &str) -> Partition {
    let found = PARTITIONS.iter().find(|partition| region.starts_with(partition.prefix));
    *found.unwrap_or(&PARTITIONS[PARTITIONS.len() - 1])
}

/// The service's URL in a region.
pub(crate) fn url(region: &str, fips: bool, dual_stack: bool) -> String {
    let partition = partition(region);
    let suffix = if dual_stack { partition.dual_stack_suffix } else { partition.suffix };
    let host = if fips { "kinesisvideo-fips" } else { "kinesisvideo" };
    format!("https://{host}.{region}.{suffix}")
}

/// Reads an endpoint: scheme, host and port, for the operations have their own paths. https, or plain http on this machine
/// or where it is asked for.
pub(crate) fn parse(text: &str, plain_http: bool) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| url.host().is_some() && matches!(url.scheme(), "http" | "https"));
    let shown = without_user(text);
    let url = url.ok_or_else(|| format!("{shown:?} is no http or https URL"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!(
            "{shown:?} with a user or a password: requests are signed; leave out what is before the @"
        ));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{shown:?} has a path or a query: give no more than scheme, host and port"));
    }
    if url.scheme() == "http" && !plain_http && !is_loopback(&url) {
        return Err(format!("{shown:?}: plain http to another machine has to be asked for (kvs.endpoint.plain.http)"));
    }
    Ok(url)
}

/// Returns what may be shown of an endpoint: not what may be a password.
pub(crate) fn without_user(text: &str) -> String {
    shown(text.rsplit('@').next().unwrap_or_default())
}

/// Whether an endpoint can be used.
///
/// # Errors
/// What is wrong with it.
pub fn check(text: &str, plain_http: bool) -> Result<(), String> {
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
