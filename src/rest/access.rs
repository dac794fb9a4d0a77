//! Authorization: everybody may read `/health`, users may read, admins may make changes.
//!
//! **Contract.** Without configured users and client certificates everybody is an admin, and the listener is on loopback or
//! was declared insecure (`crate::config::rest`). Otherwise a request identifies its caller by password, token or
//! certificate, or is refused with 401; a change by a caller who is not an admin is refused with 403. A browser's page of
//! another site can neither read nor change anything, whatever the listener ([`super::origin`]). Validating settings counts
//! as reading. Passwords are checked off the runtime, a few at a time, and successes are cached for a minute.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use kvs_client::files;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::error::ApiError;
use super::origin::{ForeignHost, Origins};
use crate::config::rest::RestConfig;
use crate::supervision::{Part, blocking, fault_point_in};

/// The path that everybody may read.
pub(super) const OPEN: &str = "/health";
/// The number of passwords checked at once: each takes some ten milliseconds of a core.
const CHECKS_MAX: usize = 2;
/// The number of passwords that may wait for a check; further requests are refused for the moment.
const CHECKS_WAITING_MAX: usize = 16;
/// The number of requests that may be occupied with a password at once.
pub(super) const CHECKS_AT_ONCE_MAX: usize = CHECKS_MAX + CHECKS_WAITING_MAX;
/// How long a correct password is not checked again.
const REMEMBERED: Duration = Duration::from_secs(60);
/// The number of passwords remembered at most.
const REMEMBERED_MAX: usize = 1_000;
/// The bcrypt cost of the hash for unknown users: the same as most other hashes.
const NOBODY_COST: u32 = 10;

/// Reports users' settings or files that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct AccessError {
    setting: &'static str,
    reason: String,
}

/// What a connection knows about its peer.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// The common name of its certificate, if it has presented a trusted one.
    pub(super) certificate: Option<String>,
}

/// The caller of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// Not identified.
    Unknown,
    /// Not identified because too many passwords are being checked.
    Unchecked,
    /// May read.
    User,
    /// May make changes.
    Admin,
}

impl Caller {
    pub(super) fn may_look(&self) -> bool {
        matches!(self, Self::User | Self::Admin)
    }
}

/// The known users, and what they may do.
pub struct Access {
    /// Password hashes by name.
    passwords: HashMap<String, String>,
    /// A hash of a random secret for unknown users, so that response times do not reveal which users exist.
    nobody: String,
    /// Names by the SHA-256 of their token.
    tokens: HashMap<[u8; 32], String>,
    admins: HashSet<String>,
    everybody_is_admin: bool,
    required: bool,
    /// Recently verified passwords, by a digest with this process's own salt.
    remembered: Mutex<HashMap<[u8; 32], Instant>>,
    salt: [u8; 16],
    checks: Semaphore,
    checks_waiting: Semaphore,
    origins: Origins,
}

impl Access {
    /// Reads the files of users and tokens.
    ///
    /// # Errors
    /// When a file cannot be used, with the file, the line and the reason.
    pub fn load(config: &RestConfig) -> Result<Self, AccessError> {
        let passwords = match &config.htpasswd {
            None => HashMap::new(),
            Some(file) => passwords(file)?,
        };
        let tokens = match &config.tokens {
            None => HashMap::new(),
            Some(file) => tokens(file)?,
        };
        let client_certificates = config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        let secret: [u8; 16] = rand::random();
        let nobody = if passwords.is_empty() { Ok(String::new()) } else { bcrypt::hash(secret, NOBODY_COST) };
        let nobody =
            nobody.map_err(|error| AccessError { setting: "rest.auth.htpasswd.file", reason: error.to_string() })?;
        Ok(Self {
            passwords,
            nobody,
            tokens,
            admins: config.admins.iter().cloned().collect(),
            everybody_is_admin: config.admins.iter().any(|name| name == "*"),
            required: config.has_users() || client_certificates,
            remembered: Mutex::default(),
            salt: rand::random(),
            checks: Semaphore::new(CHECKS_MAX),
            checks_waiting: Semaphore::new(CHECKS_WAITING_MAX),
            origins: Origins::of(config),
        })
    }

    fn role(&self, name: &str) -> Caller {
        if self.everybody_is_admin || self.admins.contains(name) { Caller::Admin } else { Caller::User }
    }

    async fn caller(&self, headers: &HeaderMap, peer: &Peer) -> Caller {
        if !self.required {
            return Caller::Admin;
        }
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match given.and_then(|given| given.split_once(' ')) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                let digest: [u8; 32] = Sha256::digest(token.trim().as_bytes()).into();
                self.tokens.get(&digest).map_or(Caller::Unknown, |name| self.role(name))
            }
            Some((scheme, text)) if scheme.eq_ignore_ascii_case("basic") => {
                let decoded = BASE64_STANDARD.decode(text.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                let Some((name, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
                    return Caller::Unknown;
                };
                match self.is_right(name, password).await {
                    Some(true) => self.role(name),
                    Some(false) => Caller::Unknown,
                    None => Caller::Unchecked,
                }
            }
            Some(_) => Caller::Unknown,
            None => peer.certificate.as_ref().map_or(Caller::Unknown, |name| self.role(name)),
        }
    }

    /// Checks a password. Returns `None` when too many passwords wait to be checked.
    async fn is_right(&self, name: &str, password: &str) -> Option<bool> {
        let mut hasher = Sha256::new();
        hasher.update(self.salt);
        hasher.update((name.len() as u64).to_be_bytes());
        hasher.update(name);
        hasher.update(password);
        let digest: [u8; 32] = hasher.finalize().into();
        let lock = || self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().get(&digest).is_some_and(|when| when.elapsed() < REMEMBERED) {
            return Some(true);
        }
        let waits = self.checks_waiting.try_acquire().ok()?;
        let turn = self.checks.acquire().await.ok()?;
        drop(waits);
        let (hash, known) = match self.passwords.get(name) {
            Some(hash) => (hash.clone(), true),
            None => (self.nobody.clone(), false),
        };
        let password = password.to_owned();
        let check = move || {
            fault_point_in("password");
            matches(&hash, &password)
        };
        let matches = blocking(Part::Request, check).await;
        drop(turn);
        if !(matches && known) {
            return Some(false);
        }
        let mut remembered = lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(digest, Instant::now());
        Some(true)
    }
}

fn matches(hash: &str, password: &str) -> bool {
    if hash.starts_with("$argon2") {
        let Ok(hash) = PasswordHash::new(hash) else { return false };
        return Argon2::default().verify_password(password.as_bytes(), &hash).is_ok();
    }
    bcrypt::verify(password, hash).unwrap_or(false)
}

/// Returns the lines that are not comments, with their numbers.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

fn read(setting: &'static str, file: &Path) -> Result<String, AccessError> {
    let failed = |error: files::FileError| AccessError { setting, reason: format!("{}: {error}", file.display()) };
    files::read_text(file).map_err(failed)
}

fn passwords(file: &Path) -> Result<HashMap<String, String>, AccessError> {
    const SETTING: &str = "rest.auth.htpasswd.file";
    let mut all = HashMap::new();
    for (number, line) in lines(&read(SETTING, file)?) {
        let bad =
            |reason: &str| AccessError { setting: SETTING, reason: format!("{}:{number}: {reason}", file.display()) };
        let (name, hash) = line.split_once(':').ok_or_else(|| bad("NAME:HASH was expected"))?;
        let is_bcrypt = ["$2y$", "$2b$", "$2a$"].iter().any(|prefix| hash.starts_with(prefix)) && hash.len() == 60;
        let is_argon2 = hash.starts_with("$argon2") && PasswordHash::new(hash).is_ok();
        if !(is_bcrypt || is_argon2) {
            return Err(bad("the hash is neither bcrypt nor argon2; `htpasswd -B` makes one"));
        }
        if all.insert(name.to_owned(), hash.to_owned()).is_some() {
            return Err(bad("this user already exists"));
        }
    }
    Ok(all)
}

fn tokens(file: &Path) -> Result<HashMap<[u8; 32], String>, AccessError> {
    const SETTING: &str = "rest.auth.tokens.file";
    let mut all = HashMap::new();
    for (number, line) in lines(&read(SETTING, file)?) {
        let bad =
            |reason: &str| AccessError { setting: SETTING, reason: format!("{}:{number}: {reason}", file.display()) };
        let expected = "NAME:SHA256 was expected, the token's SHA-256 as 64 hex digits (printf %s TOKEN | sha256sum)";
        let (name, hex) = line.split_once(':').ok_or_else(|| bad(expected))?;
        let digest = digest_of(hex.trim()).ok_or_else(|| bad(expected))?;
        all.insert(digest, name.to_owned());
    }
    Ok(all)
}

fn digest_of(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(digest)
}

/// Returns whether a request only reads, or validates settings without contacting anybody about them.
fn only_looks(request: &Request) -> bool {
    match *request.method() {
        Method::GET | Method::HEAD => true,
        // With `connect=true` the worker calls others, with its own credentials.
        Method::PUT => {
            let query = request.uri().query().unwrap_or_default();
            let connects = url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "connect");
            is_validation(request.uri().path()) && !connects
        }
        _ => false,
    }
}

/// `/connector-plugins/{plugin}/config/validate`.
fn is_validation(path: &str) -> bool {
    let plugin = path.strip_prefix("/connector-plugins/").and_then(|rest| rest.strip_suffix("/config/validate"));
    plugin.is_some_and(|plugin| !plugin.is_empty() && !plugin.contains('/'))
}

/// Middleware that admits a request or refuses it.
pub(super) async fn check(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    let looks = only_looks(&request);
    let open = matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path() == OPEN;
    match access.origins.check_host(&request) {
        Ok(()) => {}
        // A load balancer may use any name; it learns what an unidentified caller learns.
        Err(ForeignHost::Unknown(_)) if open => {
            request.extensions_mut().insert(Caller::Unknown);
            return next.run(request).await;
        }
        Err(ForeignHost::Unknown(host)) => {
            let message = format!(
                "This worker is not known as {host:?}, so this may have been sent by a page that only pretends to be from that \
                 host: use the worker's address, or add the host to the worker's rest.allowed.hosts."
            );
            return ApiError::new(StatusCode::FORBIDDEN, message).into_response();
        }
        Err(ForeignHost::Malformed) => {
            return ApiError::bad_request("Host: one header with the worker's host was expected").into_response();
        }
    }
    let peer = request.extensions().get::<Peer>().cloned().unwrap_or_default();
    let caller = access.caller(request.headers(), &peer).await;
    match caller {
        Caller::Unchecked if !open => {
            return ApiError::unavailable("Too many passwords are being checked; try again in a moment.")
                .into_response();
        }
        Caller::Unknown if !open => {
            let error = ApiError::new(StatusCode::UNAUTHORIZED, "User cannot access the resource.");
            return ([(header::WWW_AUTHENTICATE, "Basic realm=\"kvs-connect\"")], error).into_response();
        }
        _ => {}
    }
    if !looks && let Some(origin) = access.origins.foreign(request.headers()) {
        let message = format!(
            "This was sent by a page of another origin, {origin:?}, which may not change anything: the worker's \
             rest.allowed.origins names the origins that may."
        );
        return ApiError::new(StatusCode::FORBIDDEN, message).into_response();
    }
    if !looks && caller != Caller::Admin {
        let message = "This user may read but not change: the worker's rest.auth.admins names the users who may.";
        return ApiError::new(StatusCode::FORBIDDEN, message).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
