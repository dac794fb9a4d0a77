//! Settings of the REST listeners: their addresses, and who may use them.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::reader::Reader;
use super::table::Optional;
use super::table::worker::rest;

/// Allows any host, any origin, or all users.
const ALL: &str = "*";

/// `listeners` and `rest.*`.
#[derive(Debug, Clone)]
pub struct RestConfig {
    /// The addresses to listen on, at least one.
    pub listeners: Vec<Listener>,
    /// `rest.advertised.host.name`.
    pub advertised_host: Option<String>,
    /// `rest.advertised.port`.
    pub advertised_port: Option<u16>,
    /// The files for TLS, if there is an https listener.
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

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// The address; port 0 means any free port.
    pub address: SocketAddr,
    /// Whether the listener uses TLS.
    pub tls: bool,
}

/// The PEM files for TLS.
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
    /// Returns whether users can authenticate by password or token.
    pub fn has_users(&self) -> bool {
        self.htpasswd.is_some() || self.tokens.is_some()
    }
}

impl Reader<'_> {
    /// Reads all fields, so that all problems are found, before a missing one ends the function.
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
                    "{} can be reached from other machines, and would let anyone there change everything: set \
                     rest.auth.htpasswd.file, rest.auth.tokens.file or rest.tls.client.ca.file, or set \
                     rest.insecure=true",
                    listener.address
                );
                self.problem(&rest::LISTENERS, reason);
            }
        }
        if (htpasswd.is_some() || tokens.is_some() || client_ca.is_some()) && admins.is_empty() {
            self.problem(
                &rest::ADMINS,
                "is required with authentication: without it nobody could make changes; * means all users",
            );
        }
        let (allowed_hosts, allowed_origins) = (self.list(&rest::ALLOWED_HOSTS), self.list(&rest::ALLOWED_ORIGINS));
        for host in allowed_hosts.iter().filter(|host| !is_host(host)) {
            let reason =
                format!("{host:?}: a host name without port, *.example.com for all its subdomains, or * was expected");
            self.problem(&rest::ALLOWED_HOSTS, reason);
        }
        for origin in allowed_origins.iter().filter(|origin| !is_origin(origin)) {
            let reason = format!("{origin:?}: http://HOST or https://HOST, with or without a port, or * was expected");
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

    /// Returns the items of a list; none if it is not set.
    fn list(&mut self, key: &Optional<Vec<String>>) -> Vec<String> {
        self.read_optional(key).flatten().unwrap_or_default()
    }
}

/// Returns whether a text can be an allowed host.
fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    text == ALL || (!name.is_empty() && !name.starts_with('.') && name.bytes().all(valid))
}

/// Returns whether a text can be an allowed origin: scheme and host, with or without a port, and nothing else.
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
    // Kafka Connect writes a listener on all addresses as http://:8083.
    let address = if rest.starts_with(':') { format!("0.0.0.0{rest}").parse().ok()? } else { rest.parse().ok()? };
    Some(Listener { address, tls })
}
