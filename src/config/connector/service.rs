//! How the service is reached: region, endpoint, credentials, HTTP, retries.

use std::path::PathBuf;

use kvs_client::{ClientConfig, CredentialsSource, HttpConfig, RetryPolicy, Role};

use super::reader::Reader;
use crate::config::service_errors::explain_endpoint;

impl Reader<'_> {
    /// Every field is read before one that is missing ends it, so that all problems are found.
    pub(super) fn client(&mut self) -> Option<ClientConfig> {
        let region = self.region();
        let plain_http = self.flag_or("kvs.endpoint.plain.http", false);
        let fips = self.flag("kvs.endpoint.fips");
        let dual_stack = self.flag("kvs.endpoint.dual.stack");
        let endpoint = self.endpoint(plain_http.unwrap_or(true));
        if self.text("kvs.endpoint").is_some() {
            for (key, flag) in [("kvs.endpoint.fips", fips), ("kvs.endpoint.dual.stack", dual_stack)] {
                if flag.flatten() == Some(true) {
                    self.problem(key, "does not go together with kvs.endpoint");
                }
            }
        }
        let credentials = self.credentials();
        let role = self.role();
        let http = self.http();
        let retry = self.retry();
        let clock_offset_ms = self.clock_offset();
        let parameter_checks = self.flag_or("kvs.parameter.checks", true);
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

    /// `None` inside: AWS's variables and profile say.
    fn region(&mut self) -> Option<Option<String>> {
        let Some(region) = self.text("kvs.region") else { return Some(None) };
        let valid = region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !valid || region.len() > 64 {
            self.problem("kvs.region", format!("{region:?} is no AWS region"));
            return None;
        }
        Some(Some(region))
    }

    fn endpoint(&mut self, plain_http: bool) -> Option<Option<String>> {
        let Some(endpoint) = self.text("kvs.endpoint") else { return Some(None) };
        let checked = kvs_client::check_endpoint(&endpoint, plain_http).map_err(|error| explain_endpoint(&error));
        self.checked("kvs.endpoint", checked.map(|()| Some(endpoint)))
    }

    fn credentials(&mut self) -> Option<CredentialsSource> {
        const ID: &str = "kvs.credentials.access.key.id";
        const SECRET: &str = "kvs.credentials.secret.access.key";
        const TOKEN: &str = "kvs.credentials.session.token";
        const PROFILE: &str = "kvs.credentials.profile";
        let profile = self.text(PROFILE);
        match (self.text(ID), self.text(SECRET), self.text(TOKEN)) {
            (Some(_), _, _) if profile.is_some() => {
                self.problem(PROFILE, format!("does not go together with {ID}"));
                None
            }
            (Some(access_key_id), Some(secret_access_key), session_token) => {
                Some(CredentialsSource::Static { access_key_id, secret_access_key, session_token })
            }
            (None, None, None) => Some(CredentialsSource::DefaultChain { profile }),
            (id, _, _) => {
                let missing = if id.is_none() { ID } else { SECRET };
                self.problem(missing, format!("{ID} and {SECRET} belong together"));
                None
            }
        }
    }

    fn role(&mut self) -> Option<Option<Role>> {
        const ARN: &str = "kvs.role.arn";
        const EXTERNAL_ID: &str = "kvs.role.external.id";
        match (self.text(ARN), self.text(EXTERNAL_ID)) {
            (None, None) => Some(None),
            (None, Some(_)) => {
                self.problem(EXTERNAL_ID, format!("is for {ARN}, which is not given"));
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
                    self.problem(ARN, format!("{arn:?}: arn:aws:iam::ACCOUNT:role/NAME was expected"));
                    return None;
                }
                Some(Some(Role::new(arn).with_external_id(external_id)))
            }
        }
    }

    fn http(&mut self) -> Option<HttpConfig> {
        let connect_timeout = self.millis("kvs.connect.timeout.ms", 5_000, 1, 600_000);
        let inactivity_timeout = self.millis("kvs.inactivity.timeout.ms", 120_000, 100, 3_600_000);
        let fragment_timeout = self.millis("kvs.fragment.timeout.ms", 300_000, 100, 3_600_000);
        let proxy = self.text("kvs.proxy.url");
        if let Some(text) = &proxy
            && let Err(reason) = check_proxy(text)
        {
            self.problem("kvs.proxy.url", reason);
        }
        let no_proxy = self.text("kvs.proxy.exceptions");
        if no_proxy.is_some() && proxy.is_none() {
            self.problem(
                "kvs.proxy.exceptions",
                "is for kvs.proxy.url, which is not given; NO_PROXY is for the environment's",
            );
        }
        let ca_file = self.text("kvs.tls.ca.file").map(PathBuf::from);
        let mut http = HttpConfig::default();
        http.connect_timeout = connect_timeout?;
        http.inactivity_timeout = inactivity_timeout?;
        http.fragment_timeout = fragment_timeout?;
        http.proxy = proxy;
        http.no_proxy = no_proxy;
        http.ca_file = ca_file;
        Some(http)
    }

    fn retry(&mut self) -> Option<RetryPolicy> {
        let attempts_max = self.number("kvs.retry.attempts.max", 0, 0, 1_000_000);
        let base = self.millis("kvs.retry.base.delay.ms", 200, 1, 600_000);
        let cap = self.millis("kvs.retry.max.delay.ms", 30_000, 1, 3_600_000);
        Some(RetryPolicy::new(base?, cap?).with_attempts_max(u32::try_from(attempts_max?).ok()?))
    }

    /// `None` inside: it is learned.
    fn clock_offset(&mut self) -> Option<Option<i64>> {
        const KEY: &str = "kvs.clock.offset.ms";
        let Some(text) = self.text(KEY) else { return Some(None) };
        let value = text.parse::<i64>().ok().filter(|value| value.unsigned_abs() <= 315_360_000_000);
        let reason =
            || format!("{text:?}: a whole number of milliseconds was expected, negative when the service is behind");
        self.checked(KEY, value.map(Some).ok_or_else(reason))
    }
}

/// Whether a proxy can be reached by this URL. It is not shown: it may hold a password.
fn check_proxy(text: &str) -> Result<(), String> {
    const EXPECTED: &str = "http://host:port or https://host:port was expected";
    if !(text.starts_with("http://") || text.starts_with("https://")) {
        return Err(EXPECTED.to_owned());
    }
    let url = url::Url::parse(text).map_err(|error| format!("{EXPECTED}: {error}"))?;
    let is_root = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !url.has_host() || url.port() == Some(0) || !is_root {
        return Err(format!("{EXPECTED}, and nothing behind it"));
    }
    Ok(())
}
