//! Requests to a registry: credentials, TLS, proxy, limits of time and size, and which of its URLs answers.

use std::path::Path;
use std::time::Duration;

use kvs_client::{files, shown, shown_up_to, with_causes};
use reqwest::{Certificate, Client, Identity, Method, Proxy, StatusCode, header};
use serde_json::Value;
use url::Url;

use super::config::{Credentials, RegistryConfig};
use super::error::RegistryError;
use crate::supervision::{Part, blocking};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request may take until its response is complete.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum size of a response. Our largest schema has 10 KB.
const RESPONSE_MAX_BYTES: usize = 4 << 20;
/// The media type of the API.
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";
/// The maximum number of characters of a registry's words.
const MESSAGE_MAX_CHARS: usize = 1_000;

/// A response that is JSON.
pub(super) struct Answer {
    pub(super) url: String,
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

impl Answer {
    /// Returns the registry's own code of an error, which begins with the HTTP status; 0 if there is none.
    pub(super) fn code(&self) -> i64 {
        self.body["error_code"].as_i64().unwrap_or(0)
    }

    /// Returns the registry's words about an error.
    pub(super) fn message(&self) -> String {
        let message = self.body["message"].as_str().map_or_else(|| self.body.to_string(), str::to_owned);
        shown_up_to(&message, MESSAGE_MAX_CHARS)
    }
}

/// An HTTP client with the settings of a registry.
pub(super) struct Http<'a> {
    config: &'a RegistryConfig,
    client: Client,
}

impl<'a> Http<'a> {
    /// Creates a client; reads the files of TLS anew, because they may have been replaced.
    ///
    /// # Errors
    /// When a file or the proxy cannot be used.
    pub(super) async fn new(config: &'a RegistryConfig) -> Result<Self, RegistryError> {
        let given = config.clone();
        Ok(Self { config, client: blocking(Part::Connector, move || build(&given)).await? })
    }

    /// Sends a request to the first URL that answers; `segments` are those of the path.
    ///
    /// # Errors
    /// When none answers as a registry, or the first that does refuses access or fails.
    pub(super) async fn call(
        &self,
        method: &Method,
        segments: &[&str],
        query: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, RegistryError> {
        let mut last = None;
        for base in &self.config.urls {
            match self.call_one(base, method, segments, query, body).await {
                Err(error) if error.is_absence() => last = Some(error),
                answered => return answered,
            }
        }
        Err(last.unwrap_or_else(|| RegistryError::Client("schema.registry.url names no URL".to_owned())))
    }

    async fn call_one(
        &self,
        base: &Url,
        method: &Method,
        segments: &[&str],
        query: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, RegistryError> {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url.set_query(query);
        let mut request = self.client.request(method.clone(), url.clone()).header(header::ACCEPT, MEDIA_TYPE);
        request = match &self.config.credentials {
            Credentials::None => request,
            Credentials::Basic { user, password } => request.basic_auth(user, Some(password.reveal())),
            Credentials::Bearer(token) => request.bearer_auth(token.reveal()),
        };
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, MEDIA_TYPE).body(body.to_string());
        }
        let answered = tokio::time::timeout(TIMEOUT, receive(base, request)).await;
        let (status, location, bytes) =
            answered.map_err(|_| RegistryError::TimedOut { url: base.to_string(), timeout: TIMEOUT })??;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            // Its words may repeat the credentials.
            return Err(RegistryError::AccessRefused { url: base.to_string(), status: status.as_u16() });
        }
        let not_registry =
            |found: String| RegistryError::NotRegistry { url: url.to_string(), status: status.as_u16(), found };
        if status.is_redirection() {
            return Err(not_registry(format!(
                "a redirect to {}",
                location.as_deref().map_or_else(|| "nowhere".to_owned(), target)
            )));
        }
        let body: Value = match serde_json::from_slice(&bytes) {
            Ok(body) => body,
            // A proxy in front of it says so in HTML.
            Err(_) if status.is_server_error() => {
                let (url, status, message) = (base.to_string(), status.as_u16(), kind_of(&bytes));
                return Err(RegistryError::Failed { url, status, code: 0, message });
            }
            Err(_) => return Err(not_registry(kind_of(&bytes))),
        };
        let answer = Answer { url: base.to_string(), status, body };
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let (url, code, message) = (answer.url.clone(), answer.code(), answer.message());
            return Err(RegistryError::Failed { url, status: status.as_u16(), code, message });
        }
        // Any other server says 404, too, but with no such code, or with just the status.
        if status.is_client_error() && answer.code() < 1_000 && status != StatusCode::CONFLICT {
            return Err(not_registry(answer.message()));
        }
        Ok(answer)
    }
}

/// Returns status, target of a redirect, and body of a response.
async fn receive(
    base: &Url,
    request: reqwest::RequestBuilder,
) -> Result<(StatusCode, Option<String>, Vec<u8>), RegistryError> {
    let unreachable = |error: reqwest::Error| {
        // The URL may contain a password of the proxy.
        let cause = with_causes(&error.without_url());
        let advice = advice(&cause);
        RegistryError::Unreachable { url: base.to_string(), cause, advice }
    };
    let mut response = request.send().await.map_err(unreachable)?;
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|location| location.to_str().ok()).map(str::to_owned);
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len() + chunk.len() > RESPONSE_MAX_BYTES {
            let found = format!("more than {RESPONSE_MAX_BYTES} bytes");
            return Err(RegistryError::NotRegistry {
                url: base.to_string(),
                status: response.status().as_u16(),
                found,
            });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((response.status(), location, bytes))
}

/// Returns the target of a redirect without what may be secret in it.
fn target(location: &str) -> String {
    shown(location.split(['?', '#']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default())
}

/// Says what a response is that is not JSON.
fn kind_of(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    let text = text.trim_start();
    if text.is_empty() {
        "an empty response".to_owned()
    } else if text.starts_with('<') {
        "HTML or XML".to_owned()
    } else {
        format!("no JSON: {}", shown_up_to(text, 60))
    }
}

fn advice(cause: &str) -> &'static str {
    let has = |parts: &[&str]| parts.iter().any(|part| cause.contains(part));
    if has(&["Connection refused"]) {
        "; nothing is listening there: check schema.registry.url with its port, and whether the registry runs"
    } else if has(&["dns error"]) {
        "; the host name has no address: check schema.registry.url, and the machine's DNS"
    } else if has(&["InvalidContentType", "wrong version number"]) {
        "; the server does not use TLS: check whether the URL should be http://"
    } else if has(&["invalid peer certificate", "certificate verify failed"]) {
        "; check the host, and schema.registry.tls.ca.file"
    } else if has(&["invalid HTTP version", "IncompleteMessage", "connection closed before message"]) {
        "; check the port, and whether the URL should be https://"
    } else {
        ""
    }
}

fn build(config: &RegistryConfig) -> Result<Client, RegistryError> {
    let failed = |error: reqwest::Error| RegistryError::Client(with_causes(&error.without_url()));
    let mut builder = Client::builder()
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        // What is sent may be secret, so where it goes is what the settings say.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("kvs-connect/", env!("CARGO_PKG_VERSION")));
    if let Some(proxy) = &config.proxy {
        builder = builder.proxy(Proxy::all(proxy.reveal()).map_err(failed)?);
    }
    if let Some(file) = &config.tls.ca {
        let setting = "schema.registry.tls.ca.file";
        let found = Certificate::from_pem_bundle(&read(setting, file)?).unwrap_or_default();
        if found.is_empty() {
            let expected = "has no certificates: certificates in PEM were expected";
            return Err(RegistryError::Pem { setting, file: file.clone(), expected });
        }
        builder = builder.tls_certs_merge(found);
    }
    if let Some((certificate, key)) = &config.tls.identity {
        let setting = "schema.registry.tls.certificate.file";
        let mut pem = read(setting, certificate)?;
        pem.push(b'\n');
        pem.extend(read("schema.registry.tls.key.file", key)?);
        let expected = "and the file of schema.registry.tls.key.file are not a certificate and its key in PEM";
        let identity = Identity::from_pem(&pem).map_err(|_| RegistryError::Pem {
            setting,
            file: certificate.clone(),
            expected,
        })?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(failed)
}

fn read(setting: &'static str, file: &Path) -> Result<Vec<u8>, RegistryError> {
    files::read(file).map_err(|source| RegistryError::File { setting, file: file.to_owned(), source })
}
