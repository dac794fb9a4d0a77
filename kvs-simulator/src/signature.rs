//! Verification of a request's Signature Version 4, as the service does it: in headers or in the query, for a body that
//! is hashed, unsigned, or sent in signed or unsigned chunks.

mod aws_chunked;
mod digest;

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use axum::http::request::Parts;

use crate::clock::Clock;
use crate::error::ServiceError;

pub(crate) use aws_chunked::AwsChunked;
use digest::hex_digest;

/// The service name in the scope of a signature.
const SERVICE: &str = "kinesisvideo";
/// The largest difference between a request's date and the clock.
const SKEW_MAX: Duration = Duration::from_secs(5 * 60);
/// The longest validity of a signature in a query: a week.
const EXPIRES_MAX_S: u64 = 7 * 24 * 3600;

/// An access key that may sign requests.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// The access key id.
    pub id: String,
    /// The secret access key.
    pub secret: String,
    /// The account it belongs to: 12 digits.
    pub account: String,
    /// The session token that requests have to send, for temporary credentials.
    pub session_token: Option<String>,
    /// When the key expires, for temporary credentials.
    pub expires: Option<SystemTime>,
}

impl AccessKey {
    /// Creates a key that does not expire.
    pub fn new(id: &str, secret: &str, account: &str) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            account: account.to_owned(),
            session_token: None,
            expires: None,
        }
    }
}

/// The signer of a request.
pub(crate) struct Signer {
    pub(crate) account: String,
    /// The decoder of the body, if it is sent in chunks that have signatures or trailers of their own.
    pub(crate) chunked: Option<AwsChunked>,
}

/// The parts of a signature.
struct Authorization {
    key_id: String,
    /// `DATE/REGION/kinesisvideo/aws4_request`.
    scope: String,
    signed_headers: String,
    signature: String,
    amz_date: String,
    token: Option<String>,
    in_query: bool,
}

/// Verifies the signatures of requests.
#[derive(Debug)]
pub(crate) struct Verifier {
    keys: RwLock<Vec<AccessKey>>,
    region: String,
    clock: Clock,
}

impl Verifier {
    pub(crate) fn new(keys: Vec<AccessKey>, region: String, clock: Clock) -> Self {
        Self { keys: RwLock::new(keys), region, clock }
    }

    /// Lets a key expire now. Returns `false` if there is none with this id.
    pub(crate) fn expire(&self, id: &str) -> bool {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let key = keys.iter_mut().find(|key| key.id == id);
        key.map(|key| key.expires = Some(self.clock.now())).is_some()
    }

    /// Verifies that a request is signed with one of the keys. `body` is `None` if it is still to be received: then its
    /// hash cannot be part of the signature.
    pub(crate) fn verify(&self, parts: &Parts, body: Option<&[u8]>) -> Result<Signer, ServiceError> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        verify(parts, body, &keys, &self.region, self.clock.now())
    }
}

fn verify(
    parts: &Parts,
    body: Option<&[u8]>,
    keys: &[AccessKey],
    own_region: &str,
    now: SystemTime,
) -> Result<Signer, ServiceError> {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let authorization = match header("authorization") {
        Some(text) => from_header(text, header("x-amz-date"), header("x-amz-security-token"))?,
        None => from_query(parts.uri.query().unwrap_or_default(), now)?.ok_or_else(|| {
            ServiceError::new(403, "MissingAuthenticationTokenException", "Missing Authentication Token")
        })?,
    };
    let Authorization { key_id, scope, signed_headers, signature, amz_date, token, in_query } = authorization;
    let &[date, region, service, "aws4_request"] = &scope.split('/').collect::<Vec<_>>()[..] else {
        return Err(incomplete("Credential"));
    };
    if service != SERVICE {
        let message = format!("Credential should be scoped to correct service: '{SERVICE}'.");
        return Err(ServiceError::new(403, "InvalidSignatureException", message));
    }
    if region != own_region {
        let message = format!("Credential should be scoped to a valid region: '{own_region}'.");
        return Err(ServiceError::new(403, "InvalidSignatureException", message));
    }
    let key = find_key(keys, &key_id, token.as_deref(), now)?;
    let time =
        parse_amz_date(&amz_date).filter(|_| amz_date.starts_with(date)).ok_or_else(|| incomplete("X-Amz-Date"))?;
    if !in_query {
        check_skew(&amz_date, time, now)?;
    }
    if !signed_headers.split(';').any(|name| name == "host") {
        return Err(ServiceError::new(403, "InvalidSignatureException", "'Host' must be a signed header."));
    }
    let signing_key = generate_signing_key(&key.secret, time, region, service);
    let sign = |payload_hash: &str| {
        let canonical = canonical_request(parts, &signed_headers, payload_hash);
        let to_sign = format!("AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{}", hex_digest(canonical.as_bytes()));
        calculate_signature(&signing_key, to_sign.as_bytes())
    };
    let hashes = payload_hashes(header("x-amz-content-sha256"), body)?;
    if !hashes.iter().any(|hash| sign(hash) == signature) {
        let message = "The request signature we calculated does not match the signature you provided. Check your AWS \
                       Secret Access Key and signing method. Consult the service documentation for details.";
        return Err(ServiceError::new(403, "InvalidSignatureException", message));
    }
    // AWS's producer for Java declares STREAMING and sends its body unchunked: only aws-chunked bodies are decoded.
    let is_chunked = header("content-encoding").is_some_and(|encoding| encoding.contains("aws-chunked"));
    let chunked = match header("x-amz-content-sha256").filter(|_| is_chunked) {
        Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER") => Some(AwsChunked::unsigned()),
        Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") => {
            let key = signing_key.as_ref().to_vec();
            Some(AwsChunked::signed(key, amz_date, scope, signature))
        }
        _ => None,
    };
    Ok(Signer { account: key.account.clone(), chunked })
}

/// Returns the payload hashes that the canonical request may end with.
fn payload_hashes(said: Option<&str>, body: Option<&[u8]>) -> Result<Vec<String>, ServiceError> {
    match (said, body) {
        (Some(said), Some(body)) if said.len() == 64 && hex_digest(body) != said => {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            Err(ServiceError::new(400, "InvalidSignatureException", message))
        }
        (Some(said), _) => Ok(vec![said.to_owned()]),
        (None, Some(body)) => Ok(vec![hex_digest(body)]),
        // AWS's producers sign a body that is still to be sent as an empty one or as unsigned.
        (None, None) => Ok(vec![hex_digest(b""), "UNSIGNED-PAYLOAD".to_owned()]),
    }
}

fn incomplete(what: &str) -> ServiceError {
    let message = format!("Authorization header requires '{what}' parameter.");
    ServiceError::new(403, "IncompleteSignatureException", message)
}

fn from_header(text: &str, amz_date: Option<&str>, token: Option<&str>) -> Result<Authorization, ServiceError> {
    let fields = text.strip_prefix("AWS4-HMAC-SHA256").ok_or_else(|| incomplete("Credential"))?;
    let field = |name: &str| {
        let found = fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        found.map(str::to_owned).ok_or_else(|| incomplete(name))
    };
    let credential = field("Credential")?;
    let (key_id, scope) = credential.split_once('/').ok_or_else(|| incomplete("Credential"))?;
    Ok(Authorization {
        key_id: key_id.to_owned(),
        scope: scope.to_owned(),
        signed_headers: field("SignedHeaders")?,
        signature: field("Signature")?,
        amz_date: amz_date.ok_or_else(|| incomplete("X-Amz-Date"))?.to_owned(),
        token: token.map(str::to_owned),
        in_query: false,
    })
}

/// Reads the signature in a query. Returns `None` if there is none.
fn from_query(query: &str, now: SystemTime) -> Result<Option<Authorization>, ServiceError> {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    if value("X-Amz-Algorithm").is_none() {
        return Ok(None);
    }
    let field = |name: &str| value(name).ok_or_else(|| incomplete(name));
    let amz_date = field("X-Amz-Date")?;
    let expires_s =
        field("X-Amz-Expires")?.parse().ok().filter(|&seconds: &u64| (1..=EXPIRES_MAX_S).contains(&seconds));
    let expires_s = expires_s.ok_or_else(|| incomplete("X-Amz-Expires"))?;
    let begins = parse_amz_date(&amz_date).ok_or_else(|| incomplete("X-Amz-Date"))?;
    if begins + Duration::from_secs(expires_s) < now || now + SKEW_MAX < begins {
        return Err(ServiceError::new(403, "InvalidSignatureException", "Signature expired or not yet current."));
    }
    let credential = field("X-Amz-Credential")?;
    let (key_id, scope) = credential.split_once('/').ok_or_else(|| incomplete("X-Amz-Credential"))?;
    Ok(Some(Authorization {
        key_id: key_id.to_owned(),
        scope: scope.to_owned(),
        signed_headers: field("X-Amz-SignedHeaders")?,
        signature: field("X-Amz-Signature")?,
        amz_date,
        token: value("X-Amz-Security-Token"),
        in_query: true,
    }))
}

fn find_key<'a>(
    keys: &'a [AccessKey],
    id: &str,
    token: Option<&str>,
    now: SystemTime,
) -> Result<&'a AccessKey, ServiceError> {
    let unknown = || {
        let message = "The security token included in the request is invalid.";
        ServiceError::new(403, "UnrecognizedClientException", message)
    };
    let key = keys.iter().find(|key| key.id == id).ok_or_else(unknown)?;
    // A permanent key is accepted with any session token, or none.
    if key.session_token.is_some() && key.session_token.as_deref() != token {
        return Err(unknown());
    }
    if key.expires.is_some_and(|expires| expires <= now) {
        let message = "The security token included in the request is expired";
        return Err(ServiceError::new(403, "ExpiredTokenException", message));
    }
    Ok(key)
}

fn canonical_request(parts: &Parts, signed_headers: &str, payload_hash: &str) -> String {
    let query = canonical_query(parts.uri.query());
    let mut canonical = format!("{}\n{}\n{query}\n", parts.method, parts.uri.path());
    for name in signed_headers.split(';') {
        let values: Vec<String> = parts
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        canonical.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    canonical.push_str(&format!("\n{signed_headers}\n{payload_hash}"));
    canonical
}

fn check_skew(amz_date: &str, time: SystemTime, now: SystemTime) -> Result<(), ServiceError> {
    let relation = if time + SKEW_MAX < now {
        "Signature expired"
    } else if now + SKEW_MAX < time {
        "Signature not yet current"
    } else {
        return Ok(());
    };
    let ours = humantime::format_rfc3339_seconds(now).to_string().replace(['-', ':'], "");
    let message = format!("{relation}: {amz_date} is too far from {ours} (5 min.)");
    Err(ServiceError::new(403, "InvalidSignatureException", message))
}

/// Parses a date such as `20261124T055826Z`.
fn parse_amz_date(text: &str) -> Option<SystemTime> {
    let part = |range: std::ops::Range<usize>| text.get(range);
    let rfc3339 = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(9..11)?,
        part(11..13)?,
        part(13..15)?
    );
    (text.len() == 16).then(|| humantime::parse_rfc3339(&rfc3339).ok()).flatten()
}

fn canonical_query(query: Option<&str>) -> String {
    let mut pairs: Vec<String> = query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("X-Amz-Signature="))
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    pairs.sort();
    pairs.join("&")
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
