//! The endpoint and region for a client's requests.

use url::Url;

use super::rules;
use crate::error::{ConfigError, EndpointError};
use crate::stream_ref::StreamRef;

/// The region for which requests are signed, and the control plane that they go to.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    pub(crate) region: String,
    /// `None`: the region's own, by the service's rules.
    endpoint: Option<Url>,
    fips: bool,
    dual_stack: bool,
    pub(crate) plain_http: bool,
}

impl Location {
    /// Returns the location of a region, or of `endpoint` instead of the region's own.
    ///
    /// # Errors
    /// When the endpoint cannot be used, or not together with FIPS or dual stack.
    pub(crate) fn new(
        region: String,
        endpoint: Option<&str>,
        (fips, dual_stack): (bool, bool),
        plain_http: bool,
    ) -> Result<Self, ConfigError> {
        let endpoint = match endpoint {
            None => None,
            // AWS's SDKs also refuse this combination (endpoint rules of the service).
            Some(text) if fips || dual_stack => {
                let feature = if fips { "FIPS" } else { "dual stack" };
                return Err(ConfigError::EndpointConflict { feature, endpoint: rules::without_user(text) });
            }
            Some(text) => Some(rules::parse(text, plain_http).map_err(ConfigError::Endpoint)?),
        };
        Ok(Self { region, endpoint, fips, dual_stack, plain_http })
    }

    /// Returns the URL of a region's control plane.
    pub(crate) fn control(&self, region: &str) -> Result<Url, EndpointError> {
        match &self.endpoint {
            Some(endpoint) => Ok(endpoint.clone()),
            None => rules::parse(&rules::url(region, self.fips, self.dual_stack), false),
        }
    }

    /// Returns the region for which requests about a stream are signed: its ARN's, otherwise the client's.
    ///
    /// # Errors
    /// When the ARN's region is not in the ARN's partition.
    pub(crate) fn region_of(&self, stream: Option<&StreamRef>) -> Result<String, ConfigError> {
        let Some((stream, (partition, region))) = stream.and_then(|stream| Some((stream, stream.arn_region()?))) else {
            return Ok(self.region.clone());
        };
        let expected = rules::partition(region).id;
        if partition != expected {
            let (stream, region, found) = (stream.clone(), region.to_owned(), partition.to_owned());
            return Err(ConfigError::Partition { stream, region, expected, found });
        }
        Ok(region.to_owned())
    }
}
