//! How to reach the service, from settings and from AWS's own variables and profiles.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use url::Url;

use crate::credentials::CredentialsSource;
use crate::endpoint::rules;
use crate::error::Error;
use crate::retry::RetryPolicy;

/// How to reach the service. What is `None` comes from AWS's environment variables and the profile, as in AWS's own
/// tools.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Region, `us-east-1`; else `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's.
    pub region: Option<String>,
    /// Control plane instead of the region's, `http://127.0.0.1:9100`; else `AWS_ENDPOINT_URL_KINESIS_VIDEO`,
    /// `AWS_ENDPOINT_URL`, or the profile's.
    pub endpoint: Option<String>,
    /// Whether plain http may be used with a host that is not this machine. Default no.
    pub plain_http: bool,
    /// Whether FIPS endpoints are to be used; else `AWS_USE_FIPS_ENDPOINT`, or the profile's.
    pub fips: Option<bool>,
    /// Whether dual stack endpoints are to be used; else `AWS_USE_DUALSTACK_ENDPOINT`, or the profile's.
    pub dual_stack: Option<bool>,
    /// Where credentials come from.
    pub credentials: CredentialsSource,
    /// A role to assume with them.
    pub role: Option<Role>,
    /// The HTTP client.
    pub http: HttpConfig,
    /// How calls are tried again.
    pub retry: RetryPolicy,
    /// By how much the service's clock is ahead of this machine's, in milliseconds; `None`: it is learned.
    pub clock_offset_ms: Option<i64>,
    /// Whether requests are checked against the service's model before they are sent. Default yes.
    pub parameter_checks: bool,
}

/// The HTTP client.
#[derive(Clone)]
pub struct HttpConfig {
    /// How long making a connection may take. Default 5 s.
    pub connect_timeout: Duration,
    /// Without a byte for so long a session is given up. Default 120 s.
    pub inactivity_timeout: Duration,
    /// A fragment that has begun and is not whole after so long is given up. Default 5 min.
    pub fragment_timeout: Duration,
    /// Proxy, `http://user:password@host:3128`; else `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`.
    pub proxy: Option<String>,
    /// Hosts to reach without the proxy, with commas between; else `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// Certificates to trust besides the system's, PEM; else `AWS_CA_BUNDLE`.
    pub ca_file: Option<PathBuf>,
}

/// Never shows the proxy, whose URL may hold a password.
impl fmt::Debug for HttpConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpConfig")
            .field("connect_timeout", &self.connect_timeout)
            .field("inactivity_timeout", &self.inactivity_timeout)
            .field("fragment_timeout", &self.fragment_timeout)
            .field("proxy", &self.proxy.as_ref().map(|_| "hidden"))
            .field("no_proxy", &self.no_proxy)
            .field("ca_file", &self.ca_file)
            .finish()
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            inactivity_timeout: Duration::from_secs(120),
            fragment_timeout: Duration::from_secs(300),
            proxy: None,
            no_proxy: None,
            ca_file: None,
        }
    }
}

/// A role to assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// What its trust policy asks for, in another's account.
    pub external_id: Option<String>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            region: None,
            endpoint: None,
            plain_http: false,
            fips: None,
            dual_stack: None,
            credentials: CredentialsSource::default(),
            role: None,
            http: HttpConfig::default(),
            retry: RetryPolicy::default(),
            clock_offset_ms: None,
            parameter_checks: true,
        }
    }
}

/// Where requests go and for which region they are signed.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) region: String,
    /// `None`: the region's own, by the rules.
    endpoint: Option<Url>,
    fips: bool,
    dual_stack: bool,
    pub(crate) plain_http: bool,
}

impl ClientConfig {
    /// Defaults for a region.
    pub fn new(region: &str) -> Self {
        Self { region: Some(region.to_owned()), ..Self::default() }
    }

    /// Reads AWS's variables and profile.
    pub(crate) async fn load(&self) -> SdkConfig {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let CredentialsSource::DefaultChain { profile: Some(profile) } = &self.credentials {
            loader = loader.profile_name(profile);
        }
        loader.load().await
    }

    /// Settles where requests go.
    pub(crate) fn place(&self, sdk: &SdkConfig) -> Result<Place, Error> {
        let refuse = |reason: String| Error::Config { reason };
        let region = self.region.clone().or_else(|| sdk.region().map(ToString::to_string)).ok_or_else(|| {
            refuse("there is no region: set kvs.region, AWS_REGION, or region in the profile".to_owned())
        })?;
        let fips = self.fips.or(sdk.use_fips()).unwrap_or(false);
        let dual_stack = self.dual_stack.or(sdk.use_dual_stack()).unwrap_or(false);
        let endpoint = self.endpoint.clone().or_else(|| configured_endpoint(sdk));
        let endpoint = match endpoint {
            None => None,
            Some(text) => {
                // As AWS's SDKs have it (endpoint rules of the service).
                if fips || dual_stack {
                    let what = if fips { "FIPS" } else { "dual stack" };
                    let text = rules::without_user(&text);
                    return Err(refuse(format!(
                        "{what} endpoints and the endpoint {text} do not go together: take one of them away"
                    )));
                }
                Some(rules::parse(&text, self.plain_http).map_err(refuse)?)
            }
        };
        Ok(Place { region, endpoint, fips, dual_stack, plain_http: self.plain_http })
    }
}

/// `AWS_ENDPOINT_URL_KINESIS_VIDEO` or the profile's section of the service, else those of all services.
fn configured_endpoint(sdk: &SdkConfig) -> Option<String> {
    let key = aws_types::service_config::ServiceConfigKey::builder()
        .service_id("Kinesis Video")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    let of_service = sdk.service_config().and_then(|config| config.load_config(key));
    of_service.or_else(|| sdk.endpoint_url().map(str::to_owned))
}

impl Place {
    /// The control plane for a region.
    pub(crate) fn control(&self, region: &str) -> Result<Url, Error> {
        match &self.endpoint {
            Some(endpoint) => Ok(endpoint.clone()),
            None => {
                let text = rules::url(region, self.fips, self.dual_stack);
                rules::parse(&text, false).map_err(|reason| Error::Config { reason })
            }
        }
    }

    /// The region of a stream: its ARN's, whose partition has to be the region's.
    pub(crate) fn region_of(&self, stream: Option<&crate::StreamRef>) -> Result<String, Error> {
        let Some((stream, (partition, region))) = stream.and_then(|stream| Some((stream, stream.arn_place()?))) else {
            return Ok(self.region.clone());
        };
        let expected = rules::partition(region).id;
        if partition != expected {
            return Err(Error::Config {
                reason: format!("stream {stream}: region {region} is of the partition {expected}, not of {partition}"),
            });
        }
        Ok(region.to_owned())
    }
}
