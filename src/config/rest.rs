//! Settings of the REST listeners: where they are, and who may use them.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::reader::Reader;
use super::table::Optional;
use super::table::worker::rest;

/// Any host, or any origin.
const ALL: &str = "*";

/// `listeners` and `rest.*`.
#[derive(Debug, Clone)]
pub struct RestConfig {
    /// Where to listen; one at least.
    pub listeners: Vec<Listener>,
    /// `rest.advertised.host.name`.
    pub advertised_host: Option<String>,
    /// `rest.advertised.port`.
    pub advertised_port: Option<u16>,
    /// Files of TLS, when there is an https listener.
    pub tls: Option<TlsFiles>,
    /// `rest.auth.htpasswd.file`.
    pub htpasswd: Option<PathBuf>,
    /// `rest.auth.tokens.file`.
    pub tokens: Option<PathBuf>,
    /// `rest.auth.admins`.
    pub admins: Vec<String>,
    /// `rest.allowed.hosts`.
    pub allowed_hosts: Vec<String>,
    /// `rest.allowed.origins`.
    pub allowed_origins: Vec<String>,
}

/// A place to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Address; port 0 is any free one.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// Files of TLS, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// `rest.tls.certificate.file`.
    pub certificate: PathBuf,
    /// `rest.tls.key.file`.
    pub key: PathBuf,
    /// `rest.tls.client.ca.file`.
    pub client_ca: Option<PathBuf>,
}

impl RestConfig {
    /// Whether users have to say who they are, by password or token.
    pub fn has_users(&self) -> bool {
        self.htpasswd.is_some() || self.tokens.is_some()
    }
}

impl Reader<'_> {
    /// Every field is read before one that is missing ends it, so that all problems are found.
    pub(super) fn rest(&mut self) -> Option<RestConfig> {
        let listeners = self.listeners();
        let insecure = self.read(&rest::INSECURE);
        let htpasswd = self.read_optional(&rest::HTPASSWD_FILE).flatten();
        let tokens = self.read_optional(&rest::TOKENS_FILE).flatten();
        let client_ca = self.read_optional(&rest::TLS_CLIENT_CA_FILE).flatten();
        let certificate = self.read_optional(&rest::TLS_CERTIFICATE_FILE).flatten();
        let key = self.read_optional(&rest::TLS_KEY_FILE).flatten();
        let admins = self.list(&rest::ADMINS);
        let port = self.read_optional(&rest::ADVERTISED_PORT);
        let any_tls = listeners.as_ref().is_some_and(|listeners| listeners.iter().any(|listener| listener.tls));
        let tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key, client_ca: client_ca.clone() }),
            (None, None) if !any_tls && client_ca.is_none() => None,
            (certificate, _) => {
                let missing = if certificate.is_none() { rest::TLS_CERTIFICATE_FILE } else { rest::TLS_KEY_FILE };
                self.problem(&missing, "is required for https:// listeners");
                None
            }
        };
        let authenticates =
            |listener: &Listener| htpasswd.is_some() || tokens.is_some() || (listener.tls && client_ca.is_some());
        for listener in listeners.iter().flatten() {
            if !listener.address.ip().is_loopback() && !authenticates(listener) && insecure == Some(false) {
                let reason = format!(
                    "{} can be reached from other machines, and whoever reaches it could change everything: set \
                     rest.auth.htpasswd.file, rest.auth.tokens.file or rest.tls.client.ca.file, or say rest.insecure=true",
                    listener.address
                );
                self.problem(&rest::LISTENERS, reason);
            }
        }
        if (htpasswd.is_some() || tokens.is_some() || client_ca.is_some()) && admins.is_empty() {
            self.problem(&rest::ADMINS, "is required with authentication: nobody could change anything; * is all");
        }
        let (allowed_hosts, allowed_origins) = (self.list(&rest::ALLOWED_HOSTS), self.list(&rest::ALLOWED_ORIGINS));
        for host in allowed_hosts.iter().filter(|host| !is_host(host)) {
            let reason =
                format!("{host:?}: a host's name without port, *.example.com for all below one, or * was expected");
            self.problem(&rest::ALLOWED_HOSTS, reason);
        }
        for origin in allowed_origins.iter().filter(|origin| !is_origin(origin)) {
            let reason = format!("{origin:?}: http://HOST or https://HOST, with a port or without, or * was expected");
            self.problem(&rest::ALLOWED_ORIGINS, reason);
        }
        Some(RestConfig {
            listeners: listeners?,
            advertised_host: self.text(&rest::ADVERTISED_HOST),
            advertised_port: port?.filter(|&port| port > 0),
            tls,
            htpasswd,
            tokens,
            admins,
            allowed_hosts,
            allowed_origins,
        })
    }

    fn listeners(&mut self) -> Option<Vec<Listener>> {
        let text = self.read(&rest::LISTENERS)?;
        let read: Vec<Option<Listener>> = text.split(',').map(|one| listener(one.trim())).collect();
        if read.contains(&None) {
            let reason =
                format!("{text:?}: http://ADDRESS:PORT or https://ADDRESS:PORT was expected, with a numeric address");
            self.problem(&rest::LISTENERS, reason);
        }
        read.into_iter().collect()
    }

    /// Returns what stands between commas: nothing, when it is not given.
    fn list(&mut self, key: &Optional<Vec<String>>) -> Vec<String> {
        self.read_optional(key).flatten().unwrap_or_default()
    }
}

/// Whether a host can be allowed.
fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    text == ALL || (!name.is_empty() && !name.starts_with('.') && name.bytes().all(valid))
}

/// Whether an origin can be allowed: scheme and host, with a port or without, and nothing behind it.
fn is_origin(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return text == ALL };
    let alone = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    matches!(url.scheme(), "http" | "https") && alone && url.username().is_empty() && url.password().is_none()
}

fn listener(text: &str) -> Option<Listener> {
    let (scheme, rest) = text.split_once("://")?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "http" => false,
        "https" => true,
        _ => return None,
    };
    let rest = rest.trim_end_matches('/').replace("localhost:", "127.0.0.1:");
    // Connect writes a listener on all addresses as http://:8083.
    let address = if rest.starts_with(':') { format!("0.0.0.0{rest}").parse().ok()? } else { rest.parse().ok()? };
    Some(Listener { address, tls })
}
