//! How to reach the service: settings, and AWS's own variables and profiles for those that are unset.

use std::fmt;
#[cfg(feature = "rustls")]
use std::path::PathBuf;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};

use crate::credentials::{CredentialsSource, Role};
use crate::endpoint::location::Location;
use crate::error::ConfigError;
use crate::retry::RetryPolicy;

/// How a [`Client`](crate::Client) reaches the service. Settings that are `None` come from AWS's environment variables
/// and profile, as in AWS's own tools.
///
/// ```
/// let mut config = kvs_client::ClientConfig::new("eu-central-1");
/// config.dual_stack = Some(true);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The region, `us-east-1`; otherwise `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's.
    pub region: Option<String>,
    /// The control plane to use instead of the region's, `http://127.0.0.1:9100`; otherwise
    /// `AWS_ENDPOINT_URL_KINESIS_VIDEO`,
    /// `AWS_ENDPOINT_URL`, or the profile's.
    pub endpoint: Option<String>,
    /// Whether plain http may be used with a host other than this machine. Default: no.
    pub plain_http: bool,
    /// Whether to use FIPS endpoints; otherwise `AWS_USE_FIPS_ENDPOINT`, or the profile's.
    pub fips: Option<bool>,
    /// Whether to use dual-stack endpoints; otherwise `AWS_USE_DUALSTACK_ENDPOINT`, or the profile's.
    pub dual_stack: Option<bool>,
    /// Where credentials come from.
    pub credentials: CredentialsSource,
    /// A role to assume with them.
    pub role: Option<Role>,
    /// Timeouts, proxy and certificates.
    pub http: HttpConfig,
    /// How failed calls are retried.
    pub retry: RetryPolicy,
    /// How far the service's clock is ahead of this machine's, in milliseconds; `None`: measured from its responses.
    pub clock_offset_ms: Option<i64>,
    /// Whether requests are checked against the service's model before they are sent. Default: yes.
    pub parameter_checks: bool,
}

/// Timeouts, proxy and certificates of a client's connections.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpConfig {
    /// The timeout for establishing a connection. Default: 5 s.
    pub connect_timeout: Duration,
    /// How long a session may go without a byte before it is closed. Default: 120 s.
    pub inactivity_timeout: Duration,
    /// How long a fragment may take from its first byte to its last before its session is closed. Default: 5 min.
    pub fragment_timeout: Duration,
    /// The proxy, `http://user:password@host:3128`; otherwise `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`.
    pub proxy: Option<String>,
    /// Hosts to reach without the proxy, separated by commas; otherwise `NO_PROXY`.
    pub no_proxy: Option<String>,
    /// A file of certificates in PEM to trust besides the system's; otherwise `AWS_CA_BUNDLE`.
    #[cfg(feature = "rustls")]
    pub ca_file: Option<PathBuf>,
}

/// Does not show the proxy, whose URL may contain a password.
impl fmt::Debug for HttpConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("HttpConfig");
        shown
            .field("connect_timeout", &self.connect_timeout)
            .field("inactivity_timeout", &self.inactivity_timeout)
            .field("fragment_timeout", &self.fragment_timeout)
            .field("proxy", &self.proxy.as_ref().map(|_| "hidden"))
            .field("no_proxy", &self.no_proxy);
        #[cfg(feature = "rustls")]
        shown.field("ca_file", &self.ca_file);
        shown.finish()
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
            #[cfg(feature = "rustls")]
            ca_file: None,
        }
    }
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

impl ClientConfig {
    /// Returns the defaults for a region.
    pub fn new(region: &str) -> Self {
        Self { region: Some(region.to_owned()), ..Self::default() }
    }

    /// Reads AWS's variables and profile, over which these settings take precedence.
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

    /// Returns where requests go, according to these settings and to `sdk`.
    pub(crate) fn location(&self, sdk: &SdkConfig) -> Result<Location, ConfigError> {
        let region = self.region.clone().or_else(|| sdk.region().map(ToString::to_string));
        let region = region.ok_or(ConfigError::NoRegion)?;
        let fips = self.fips.or(sdk.use_fips()).unwrap_or(false);
        let dual_stack = self.dual_stack.or(sdk.use_dual_stack()).unwrap_or(false);
        let endpoint = self.endpoint.clone().or_else(|| configured_endpoint(sdk));
        Location::new(region, endpoint.as_deref(), (fips, dual_stack), self.plain_http)
    }
}

/// Returns the endpoint in `AWS_ENDPOINT_URL_KINESIS_VIDEO` or in the profile's section for the service, otherwise the
/// one for all services.
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
