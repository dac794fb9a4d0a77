//! Checking Signature Version 4 of a request, as the service does.

use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use axum::http::request::Parts;
use sha2::{Digest, Sha256};

use crate::error::ServiceError;

/// The name that requests to the service are signed for.
const SERVICE: &str = "kinesisvideo";
/// How far a request's date may be from ours.
const SKEW_MAX: Duration = Duration::from_secs(5 * 60);

/// An access key that may sign.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// Checks that a request is signed by one of the keys.
pub(crate) fn verify(parts: &Parts, body: &[u8], keys: &[Key], now: SystemTime) -> Result<(), ServiceError> {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let Some(authorization) = header("authorization") else {
        return Err(ServiceError::new(403, "MissingAuthenticationTokenException", "Missing Authentication Token"));
    };
    let incomplete = |what: &str| {
        let message = format!("Authorization header requires '{what}' parameter.");
        ServiceError::new(403, "IncompleteSignatureException", message)
    };
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256").ok_or_else(|| incomplete("Credential"))?;
    let field = |name: &str| {
        fields
            .split(',')
            .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
            .ok_or_else(|| incomplete(name))
    };
    let (credential, signed_headers, signature) = (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
    let scope: Vec<&str> = credential.splitn(2, '/').collect();
    let (key_id, scope) = match scope[..] {
        [key_id, scope] => (key_id, scope),
        _ => return Err(incomplete("Credential")),
    };
    let &[date, region, service, "aws4_request"] = &scope.split('/').collect::<Vec<_>>()[..] else {
        return Err(incomplete("Credential"));
    };
    if service != SERVICE {
        let message = format!("Credential should be scoped to correct service: '{SERVICE}'.");
        return Err(ServiceError::new(403, "InvalidSignatureException", message));
    }
    let Some(key) = keys.iter().find(|key| key.id == key_id) else {
        let message = "The security token included in the request is invalid.";
        return Err(ServiceError::new(403, "UnrecognizedClientException", message));
    };
    let amz_date = header("x-amz-date").ok_or_else(|| incomplete("X-Amz-Date"))?;
    let time =
        parse_amz_date(amz_date).filter(|_| amz_date.starts_with(date)).ok_or_else(|| incomplete("X-Amz-Date"))?;
    check_skew(amz_date, time, now)?;

    let names: Vec<&str> = signed_headers.split(';').collect();
    if !names.contains(&"host") {
        return Err(ServiceError::new(403, "InvalidSignatureException", "'Host' must be a signed header."));
    }
    let mut canonical = format!("{}\n{}\n{}\n", parts.method, parts.uri.path(), canonical_query(parts.uri.query()));
    for name in &names {
        let values: Vec<String> = parts
            .headers
            .get_all(*name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        canonical.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    canonical.push_str(&format!("\n{signed_headers}\n{}", hex_digest(body)));
    let to_sign = format!("AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{}", hex_digest(canonical.as_bytes()));
    let signing_key = generate_signing_key(&key.secret, time, region, service);
    if calculate_signature(signing_key, to_sign.as_bytes()) == signature {
        return Ok(());
    }
    let message = "The request signature we calculated does not match the signature you provided. Check your AWS \
                   Secret Access Key and signing method. Consult the service documentation for details.";
    Err(ServiceError::new(403, "InvalidSignatureException", message))
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

/// `20261124T055826Z`.
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
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    pairs.sort();
    pairs.join("&")
}

fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
