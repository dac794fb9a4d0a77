//! Who may do what: anybody looks at `/health`, users look, admins change.
//!
//! **Contract.** Without users and without client certificates everybody is an admin, and the listener is on loopback or
//! was declared insecure (`crate::config::rest`). With them a request says who it is by password, token or certificate,
//! or is refused with 401; one that changes something and is no admin's with 403. A browser's page of another site neither
//! reads nor changes anything, whatever the listener ([`super::origin`]); trying settings out changes nothing. Passwords are
//! checked off the runtime, a few at a time, and the answer is remembered for a minute.

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

/// The path that everybody may look at.
pub(super) const OPEN: &str = "/health";
/// Passwords that are checked at once: each takes some ten milliseconds of a core.
const CHECKS_MAX: usize = 2;
/// Passwords that wait for it; with more than these a request is refused for the moment.
const CHECKS_WAITING_MAX: usize = 16;
/// Requests that are about a password at once.
pub(super) const CHECKS_AT_ONCE_MAX: usize = CHECKS_MAX + CHECKS_WAITING_MAX;
/// How long a password that was right is not checked again.
const REMEMBERED: Duration = Duration::from_secs(60);
/// The most passwords that are remembered.
const REMEMBERED_MAX: usize = 1_000;
/// What the hash for users there are not costs: as much as most others.
const NOBODY_COST: u32 = 10;

/// Why users cannot be known.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct AccessError {
    setting: &'static str,
    reason: String,
}

/// What a connection says of who is at its other end.
#[derive(Debug, Clone, Default)]
pub struct Peer {
    /// The common name of its certificate, when it has shown one that is trusted.
    pub(super) certificate: Option<String>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// Nobody who is known.
    Unknown,
    /// Somebody whose password cannot be checked now: too many are.
    Unchecked,
    /// May look.
    User,
    /// May change.
    Admin,
}

impl Caller {
    pub(super) fn may_look(&self) -> bool {
        matches!(self, Self::User | Self::Admin)
    }
}

/// Who there is, and who may do what.
pub struct Access {
    /// Name and hash.
    passwords: HashMap<String, String>,
    /// A hash of nobody knows what, for users there are not: they are not told apart by the time it takes.
    nobody: String,
    /// SHA-256 of the token, and name.
    tokens: HashMap<[u8; 32], String>,
    admins: HashSet<String>,
    everybody_is_admin: bool,
    required: bool,
    /// Right passwords of late, by a digest that is this process's own.
    remembered: Mutex<HashMap<[u8; 32], Instant>>,
    salt: [u8; 16],
    checks: Semaphore,
    checks_waiting: Semaphore,
    origins: Origins,
}

impl Access {
    /// Reads who there is.
    ///
    /// # Errors
    /// When a file is wrong: which, which line, and how.
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

    /// `None`: too many passwords wait to be checked.
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

/// Lines that are no comment, with their numbers.
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
            return Err(bad("this user is there already"));
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

/// Whether a request only looks, or tries out what changes nothing: settings, without asking anybody about them.
fn only_looks(request: &Request) -> bool {
    match *request.method() {
        Method::GET | Method::HEAD => true,
        // `connect=true` has the worker call others, with its own credentials.
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

/// Lets a request through, or not.
pub(super) async fn check(State(access): State<Arc<Access>>, mut request: Request, next: Next) -> Response {
    let looks = only_looks(&request);
    let open = matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path() == OPEN;
    match access.origins.check_host(&request) {
        Ok(()) => {}
        // A balancer may ask by any name; it learns what those learn who are not known.
        Err(ForeignHost::Unknown(_)) if open => {
            request.extensions_mut().insert(Caller::Unknown);
            return next.run(request).await;
        }
        Err(ForeignHost::Unknown(host)) => {
            let message = format!(
                "This worker is not known as {host:?}, so a page that only pretends to be of that host may have sent this: \
                 ask by its address, or name the host in the worker's rest.allowed.hosts."
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
            "This was sent by a page of another origin, {origin:?}, and those may change nothing: the worker's \
             rest.allowed.origins names those that may."
        );
        return ApiError::new(StatusCode::FORBIDDEN, message).into_response();
    }
    if !looks && caller != Caller::Admin {
        let message = "This user may look and not change: the worker's rest.auth.admins names those who may.";
        return ApiError::new(StatusCode::FORBIDDEN, message).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
