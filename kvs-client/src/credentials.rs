//! Whose requests these are.

use std::fmt;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use tokio::sync::Mutex;

/// Credentials are got anew so long before they expire.
const EXPIRY_MARGIN: Duration = Duration::from_secs(60);

/// Where credentials come from.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum CredentialsSource {
    /// AWS's default chain: environment, profile, web identity, container, instance.
    #[default]
    DefaultChain,
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

/// Never shows a secret.
impl fmt::Debug for CredentialsSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DefaultChain => formatter.write_str("DefaultChain"),
            Self::Static { access_key_id, .. } => {
                write!(formatter, "Static {{ access_key_id: {access_key_id:?}, secrets hidden }}")
            }
        }
    }
}

/// Hands out credentials and keeps them until shortly before they expire.
pub(crate) struct CredentialsCache {
    source: CredentialsSource,
    region: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    provider: Option<SharedCredentialsProvider>,
    credentials: Option<Credentials>,
}

impl fmt::Debug for CredentialsCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CredentialsCache").field("source", &self.source).finish_non_exhaustive()
    }
}

impl CredentialsCache {
    pub(crate) fn new(source: CredentialsSource, region: String) -> Self {
        Self { source, region, state: Mutex::default() }
    }

    /// Credentials that are good for a while. An error says why the chain found none; it holds no secret.
    pub(crate) async fn get(&self) -> Result<Credentials, String> {
        if let CredentialsSource::Static { access_key_id, secret_access_key, session_token } = &self.source {
            let token = session_token.clone();
            return Ok(Credentials::new(access_key_id, secret_access_key, token, None, "kvs-connect settings"));
        }
        let mut state = self.state.lock().await;
        let soon = SystemTime::now() + EXPIRY_MARGIN;
        let fresh = |known: &&Credentials| known.expiry().is_none_or(|expiry| expiry > soon);
        if let Some(known) = state.credentials.as_ref().filter(fresh) {
            return Ok(known.clone());
        }
        let provider = match &state.provider {
            Some(provider) => provider.clone(),
            None => {
                let region = Region::new(self.region.clone());
                let config = aws_config::defaults(BehaviorVersion::latest()).region(region).load().await;
                config.credentials_provider().ok_or("AWS's default chain has no provider")?
            }
        };
        state.provider = Some(provider.clone());
        let credentials = provider.provide_credentials().await.map_err(|error| with_causes(&error))?;
        state.credentials = Some(credentials.clone());
        Ok(credentials)
    }

    /// The service refused them: the next call gets new ones.
    pub(crate) async fn invalidate(&self) {
        self.state.lock().await.credentials = None;
    }
}

/// An error and what caused it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
