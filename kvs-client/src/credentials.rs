//! Credentials: where they come from, and a cache that keeps them until they expire.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_config::sts::AssumeRoleProvider;
use aws_config::{Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use tokio::sync::Mutex;

use crate::error::CredentialsError;
use crate::shown::with_causes;

/// How long before their expiry credentials are fetched again.
const EXPIRY_MARGIN: Duration = Duration::from_secs(60);
/// The name of an assumed role's sessions, for example in CloudTrail.
const ROLE_SESSION_NAME: &str = "kvs-connect";

/// Where credentials come from.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialsSource {
    /// AWS's default chain: environment, profile (static, SSO, process, role), web identity, container, instance.
    DefaultChain {
        /// The profile, unless it is that of `AWS_PROFILE` or `default`.
        profile: Option<String>,
    },
    /// Static credentials.
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

/// A role to assume with the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Role {
    /// `arn:aws:iam::ACCOUNT:role/NAME`.
    pub arn: String,
    /// The external id that the role's trust policy requires, if the role is in another account.
    pub external_id: Option<String>,
}

impl Role {
    /// Creates the role with this ARN, without an external id.
    pub fn new(arn: impl Into<String>) -> Self {
        Self { arn: arn.into(), external_id: None }
    }

    /// Sets the external id.
    #[must_use]
    pub fn with_external_id(self, external_id: Option<String>) -> Self {
        Self { external_id, ..self }
    }
}

/// Provides credentials, and keeps them until shortly before they expire.
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
    /// Creates an empty cache. A role's credentials are requested from the STS endpoint of `region`.
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

    /// Returns credentials that do not expire soon.
    ///
    /// # Errors
    /// When the provider has none, with the reason of the last one in the chain.
    pub(crate) async fn get(&self) -> Result<Credentials, CredentialsError> {
        let mut known = self.known.lock().await;
        let soon = SystemTime::now() + EXPIRY_MARGIN;
        let is_good = |known: &&Credentials| known.expiry().is_none_or(|expiry| expiry > soon);
        if let Some(known) = known.as_ref().filter(is_good) {
            return Ok(known.clone());
        }
        let provider = self.provider.as_ref().ok_or(CredentialsError::NoProvider)?;
        let credentials = provider.provide_credentials().await.map_err(|error| {
            let advice = advice(&with_causes(&error));
            CredentialsError::NotProvided { advice, source: Box::new(error) }
        })?;
        *known = Some(credentials.clone());
        Ok(credentials)
    }

    /// Forgets credentials that the service refused, so that the next call fetches new ones.
    pub(crate) async fn invalidate(&self) {
        *self.known.lock().await = None;
    }
}

/// Returns where credentials can be configured, if the chain ended with the instance's own, which most machines do not
/// have. The chain has no error code for that; `credentials_tests.rs` provokes it.
fn advice(reason: &str) -> Option<&'static str> {
    const ADVICE: &str = "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile of ~/.aws, or \
         give this machine, container or pod a role";
    ["IMDS", "no providers in chain", "not enabled"].iter().any(|text| reason.contains(text)).then_some(ADVICE)
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
