//! Whose requests these are.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use tokio::sync::Mutex;

use crate::config::Role;
use crate::shown::shown;

/// Credentials are got anew so long before they expire.
const EXPIRY_MARGIN: Duration = Duration::from_secs(60);
/// The name that sessions of an assumed role have.
const ROLE_SESSION_NAME: &str = "kvs-connect";

/// Where credentials come from.
#[derive(Clone, PartialEq, Eq)]
pub enum CredentialsSource {
    /// AWS's default chain: environment, profile (static, SSO, process, role), web identity, container, instance.
    DefaultChain {
        /// The profile, when it is not the one of `AWS_PROFILE` or `default`.
        profile: Option<String>,
    },
    /// Given in the settings.
    Static {
        /// Access key id.
        access_key_id: String,
        /// Secret access key.
        secret_access_key: String,
        /// Session token, for temporary credentials.
        session_token: Option<String>,
    },
}

impl Default for CredentialsSource {
    fn default() -> Self {
        Self::DefaultChain { profile: None }
    }
}

/// Never shows a secret.
impl fmt::Debug for CredentialsSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefaultChain { profile } => write!(formatter, "DefaultChain {{ profile: {profile:?} }}"),
            Self::Static { access_key_id, .. } => {
                write!(formatter, "Static {{ access_key_id: {access_key_id:?}, secrets hidden }}")
            }
        }
    }
}

/// Hands out credentials and keeps them until shortly before they expire.
pub(crate) struct CredentialsCache {
    provider: Option<SharedCredentialsProvider>,
    known: Mutex<Option<Credentials>>,
}

impl fmt::Debug for CredentialsCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CredentialsCache")
    }
}

impl CredentialsCache {
    /// `region` is where the role's credentials are asked for, by STS's endpoint of the region.
    pub(crate) async fn new(source: &CredentialsSource, role: Option<&Role>, region: &str, sdk: &SdkConfig) -> Self {
        let base = match source {
            CredentialsSource::DefaultChain { .. } => sdk.credentials_provider(),
            CredentialsSource::Static { access_key_id, secret_access_key, session_token } => {
                let token = session_token.clone();
                let fixed = Credentials::new(access_key_id, secret_access_key, token, None, "kvs-connect settings");
                Some(SharedCredentialsProvider::new(fixed))
            }
        };
        let provider = match (base, role) {
            (Some(base), Some(role)) => {
                let mut builder = AssumeRoleProvider::builder(&role.arn)
                    .session_name(ROLE_SESSION_NAME)
                    .region(Region::new(region.to_owned()))
                    .configure(sdk);
                if let Some(external_id) = &role.external_id {
                    builder = builder.external_id(external_id);
                }
                Some(SharedCredentialsProvider::new(builder.build_from_provider(base).await))
            }
            (base, _) => base,
        };
        Self { provider, known: Mutex::default() }
    }

    /// Credentials that are good for a while. An error says why the chain found none; it holds no secret.
    pub(crate) async fn get(&self) -> Result<Credentials, String> {
        let mut known = self.known.lock().await;
        let soon = SystemTime::now() + EXPIRY_MARGIN;
        let fresh = |known: &&Credentials| known.expiry().is_none_or(|expiry| expiry > soon);
        if let Some(known) = known.as_ref().filter(fresh) {
            return Ok(known.clone());
        }
        let provider = self.provider.as_ref().ok_or("AWS's default chain has no provider")?;
        let credentials = provider.provide_credentials().await.map_err(|error| with_advice(with_causes(&error)))?;
        *known = Some(credentials.clone());
        Ok(credentials)
    }

    /// The service refused them: the next call gets new ones.
    pub(crate) async fn invalidate(&self) {
        *self.known.lock().await = None;
    }
}

/// Adds where credentials may be put, if the chain has come to its end: to the instance's own, which most machines have not.
fn with_advice(reason: String) -> String {
    const ADVICE: &str = "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile of ~/.aws, or give \
         this machine, container or pod a role";
    let at_the_end = ["IMDS", "no providers in chain", "not enabled"].iter().any(|text| reason.contains(text));
    if at_the_end { reason + ADVICE } else { reason }
}

/// An error and what caused it, in one line. Each may hold what came from the network.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = shown(&error.to_string());
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = shown(&inner.to_string());
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
