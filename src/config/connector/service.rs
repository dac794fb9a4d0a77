//! How the service is reached: region, endpoint, credentials, HTTP, retries.

use kvs_client::{ClientConfig, CredentialsSource, HttpConfig, RetryPolicy, Role};

use crate::config::error::ValueError;
use crate::config::reader::Reader;
use crate::config::service_errors::explain_endpoint;
use crate::config::table::connector::{pulling, service};

impl Reader<'_> {
    /// Reads all fields, so that all problems are found, before a missing one ends the function.
    pub(super) fn client(&mut self) -> Option<ClientConfig> {
        let region = self.region();
        let plain_http = self.read(&service::PLAIN_HTTP);
        let fips = self.read_optional(&service::FIPS);
        let dual_stack = self.read_optional(&service::DUAL_STACK);
        let endpoint = self.endpoint(plain_http.unwrap_or(true));
        if self.is_given(&service::ENDPOINT) {
            for (key, flag) in [(&service::FIPS, fips), (&service::DUAL_STACK, dual_stack)] {
                if flag.flatten() == Some(true) {
                    self.problem(key, format!("cannot be combined with {}", service::ENDPOINT.name()));
                }
            }
        }
        let credentials = self.credentials();
        let role = self.role();
        let http = self.http();
        let retry = self.retry();
        let clock_offset_ms = self.read_optional(&service::CLOCK_OFFSET);
        let parameter_checks = self.read(&service::PARAMETER_CHECKS);
        let mut config = ClientConfig::default();
        config.region = region?;
        config.endpoint = endpoint?;
        config.plain_http = plain_http?;
        config.fips = fips?;
        config.dual_stack = dual_stack?;
        config.credentials = credentials?;
        config.role = role?;
        config.http = http?;
        config.retry = retry?;
        config.clock_offset_ms = clock_offset_ms?;
        config.parameter_checks = parameter_checks?;
        Some(config)
    }

    /// Reads the region; `None` inside: it comes from AWS's variables or profile.
    fn region(&mut self) -> Option<Option<String>> {
        let Some(region) = self.text(&service::REGION) else { return Some(None) };
        let valid = region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !valid || region.len() > 64 {
            self.problem(&service::REGION, format!("{region:?} is not an AWS region"));
            return None;
        }
        Some(Some(region))
    }

    fn endpoint(&mut self, plain_http: bool) -> Option<Option<String>> {
        let Some(endpoint) = self.text(&service::ENDPOINT) else { return Some(None) };
        let checked = kvs_client::check_endpoint(&endpoint, plain_http).map_err(|error| explain_endpoint(&error));
        self.checked(&service::ENDPOINT, checked.map(|()| Some(endpoint)))
    }

    fn credentials(&mut self) -> Option<CredentialsSource> {
        use service::{ACCESS_KEY_ID as ID, PROFILE, SECRET_ACCESS_KEY as SECRET};
        let profile = self.text(&PROFILE);
        match (self.text(&ID), self.text(&SECRET), self.text(&service::SESSION_TOKEN)) {
            (Some(_), _, _) if profile.is_some() => {
                self.problem(&PROFILE, format!("cannot be combined with {}", ID.name()));
                None
            }
            (Some(access_key_id), Some(secret_access_key), session_token) => {
                Some(CredentialsSource::Static { access_key_id, secret_access_key, session_token })
            }
            (None, None, None) => Some(CredentialsSource::DefaultChain { profile }),
            (id, _, _) => {
                let missing = if id.is_none() { ID } else { SECRET };
                self.problem(&missing, format!("{} and {} must both be set", ID.name(), SECRET.name()));
                None
            }
        }
    }

    fn role(&mut self) -> Option<Option<Role>> {
        use service::{EXTERNAL_ID, ROLE_ARN as ARN};
        match (self.text(&ARN), self.text(&EXTERNAL_ID)) {
            (None, None) => Some(None),
            (None, Some(_)) => {
                self.problem(&EXTERNAL_ID, format!("requires {}, which is not set", ARN.name()));
                None
            }
            (Some(arn), external_id) => {
                let parts: Vec<&str> = arn.splitn(6, ':').collect();
                let valid = matches!(parts[..], ["arn", partition, "iam", "", account, resource]
                    if partition.starts_with("aws")
                        && account.len() == 12
                        && account.bytes().all(|byte| byte.is_ascii_digit())
                        && resource.starts_with("role/"));
                if !valid {
                    self.problem(&ARN, format!("{arn:?}: arn:aws:iam::ACCOUNT:role/NAME was expected"));
                    return None;
                }
                Some(Some(Role::new(arn).with_external_id(external_id)))
            }
        }
    }

    fn http(&mut self) -> Option<HttpConfig> {
        let connect_timeout = self.read(&service::CONNECT_TIMEOUT);
        let inactivity_timeout = self.read(&pulling::INACTIVITY_TIMEOUT);
        let fragment_timeout = self.read(&pulling::FRAGMENT_TIMEOUT);
        let proxy = self.text(&service::PROXY);
        if let Some(text) = &proxy
            && let Err(error) = check_proxy(text)
        {
            self.problem(&service::PROXY, error);
        }
        let no_proxy = self.text(&service::PROXY_EXCEPTIONS);
        if no_proxy.is_some() && proxy.is_none() {
            self.problem(
                &service::PROXY_EXCEPTIONS,
                "requires kvs.proxy.url, which is not set; for the environment's proxy, use NO_PROXY",
            );
        }
        let ca_file = self.read_optional(&service::CA_FILE);
        let mut http = HttpConfig::default();
        http.connect_timeout = connect_timeout?;
        http.inactivity_timeout = inactivity_timeout?;
        http.fragment_timeout = fragment_timeout?;
        http.proxy = proxy;
        http.no_proxy = no_proxy;
        http.ca_file = ca_file?;
        Some(http)
    }

    fn retry(&mut self) -> Option<RetryPolicy> {
        let attempts_max = self.read(&pulling::RETRY_ATTEMPTS);
        let base = self.read(&pulling::RETRY_BASE_DELAY);
        let cap = self.read(&pulling::RETRY_MAX_DELAY);
        Some(RetryPolicy::new(base?, cap?).with_attempts_max(attempts_max?))
    }
}

/// Checks that a URL can be a proxy's. Errors do not show it, because it may contain a password.
pub(in crate::config) fn check_proxy(text: &str) -> Result<(), ValueError> {
    let wrong = |detail: Option<String>| Err(ValueError::NotProxy { detail });
    if !(text.starts_with("http://") || text.starts_with("https://")) {
        return wrong(None);
    }
    let url = match url::Url::parse(text) {
        Ok(url) => url,
        Err(error) => return wrong(Some(format!(": {error}"))),
    };
    let is_root = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !url.has_host() || url.port() == Some(0) || !is_root {
        return wrong(Some(", without a path".to_owned()));
    }
    Ok(())
}
