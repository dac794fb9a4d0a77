//! Settings of Kafka's clients: which of librdkafka's may be set, and what replaces those of the Java clients.
//!
//! **Contract.** Settings on which exactly once, or progress after failures, depends can only have the values or ranges
//! with which both hold; an error gives the reason. For a setting that only the Java clients have, the error names its
//! replacement. librdkafka itself judges all other settings, when the clients are first created.

mod java;
mod rules;

pub use java::JAVA;
pub use rules::{RULES, Rule};

/// Names of librdkafka's that mean the same, each with the one that kvs-connect uses: of two that are set, librdkafka
/// would use either.
const SAME: &[(&str, &str)] = &[
    ("request.required.acks", "acks"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("delivery.timeout.ms", "message.timeout.ms"),
    ("message.send.max.retries", "retries"),
    ("compression.codec", "compression.type"),
    ("max.partition.fetch.bytes", "fetch.message.max.bytes"),
    ("metadata.broker.list", "bootstrap.servers"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("auto.commit.enable", "enable.auto.commit"),
];

/// The worker's settings on which bounds depend.
#[derive(Debug, Clone, Copy)]
pub struct Around {
    /// `transaction.timeout.ms`.
    pub transaction_timeout_ms: u64,
    /// `session.timeout.ms`.
    pub session_timeout_ms: u64,
    /// `memory.budget.size.bytes`.
    pub memory_budget_size_bytes: u64,
}

/// Returns the name that kvs-connect uses for a setting with several names.
pub fn canonical(name: &str) -> &str {
    SAME.iter().find(|(other, _)| *other == name).map_or(name, |(_, name)| name)
}

/// Reasons why a setting of Kafka's clients, or its value, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientKeyError {
    /// Only the Java clients have the setting.
    #[error("is a setting of the Java clients, and the clients here are librdkafka's: {instead}")]
    Java {
        /// What replaces it.
        instead: &'static str,
    },
    /// The setting must keep its value.
    #[error("cannot be set: {reason}")]
    Refused {
        /// What depends on it.
        reason: &'static str,
    },
    /// Only some values are safe.
    #[error("only {} is accepted: {reason}", expected.join(", "))]
    Value {
        /// The accepted values.
        expected: &'static [&'static str],
        /// What depends on them.
        reason: &'static str,
    },
    /// A value that the setting has for other clients does not exist here.
    #[error("{value} is not supported: {reason}")]
    NoSuch {
        /// The value.
        value: &'static str,
        /// Why not, and what to do instead.
        reason: &'static str,
    },
    /// Only a range is safe.
    #[error("{}{least} to {most} is accepted: {reason}", if *or_zero { "0, or " } else { "" })]
    Range {
        /// Whether 0 is accepted, too.
        or_zero: bool,
        /// The smallest number.
        least: u64,
        /// The largest number.
        most: u64,
        /// What depends on the range.
        reason: &'static str,
    },
}

/// The reason for refusing OAUTHBEARER where nothing provides tokens: clients would wait for one for ever.
pub const NO_TOKENS: &str = "OAUTHBEARER needs tokens, and nothing here fetches or signs any (OIDC, Amazon MSK's IAM): use \
    SCRAM-SHA-512, or certificates with security.protocol=SSL; unsigned tokens, for tests, need \
    enable.sasl.oauthbearer.unsecure.jwt=true for producer., consumer. and admin.";

/// Checks whether a client's setting may have this value, as far as is known without creating a client.
///
/// # Errors
/// Why not, and what to do.
pub fn check(name: &str, value: &str, around: Around) -> Result<(), ClientKeyError> {
    let (value, name) = (value.trim(), canonical(name));
    if let Some((_, instead)) = JAVA.iter().find(|(java, _)| *java == name) {
        return Err(ClientKeyError::Java { instead });
    }
    let named = RULES.iter().filter(|(rule, ..)| match rule.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => *rule == name,
    });
    let Some((_, rule, reason)) = named.max_by_key(|(rule, ..)| rule.len()) else { return Ok(()) };
    let or_zero = matches!(rule, Rule::ZeroOrFrom(_));
    let within = |least: u64, most: u64| match value.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) || (or_zero && number == 0) => Ok(()),
        _ => Err(ClientKeyError::Range { or_zero, least, most, reason }),
    };
    match *rule {
        Rule::Refused => Err(ClientKeyError::Refused { reason }),
        Rule::Only(values) if values.iter().any(|allowed| allowed.eq_ignore_ascii_case(value)) => Ok(()),
        Rule::Only(expected) => Err(ClientKeyError::Value { expected, reason }),
        Rule::AnyBut(refused) if refused.eq_ignore_ascii_case(value) => {
            Err(ClientKeyError::NoSuch { value: refused, reason })
        }
        Rule::AnyBut(_) => Ok(()),
        Rule::Range(least, most) => within(least, most),
        Rule::ZeroOrFrom(least) => within(least, i32::MAX as u64),
        Rule::UpToTransactionTimeout(least) => within(least, around.transaction_timeout_ms.saturating_sub(5_000)),
        Rule::UpToThirdOfSession => within(50, around.session_timeout_ms / 3),
        Rule::FromLargestRecord => within(around.memory_budget_size_bytes / 1024 + 1024, i32::MAX as u64),
    }
}

#[cfg(test)]
#[path = "librdkafka_keys_tests.rs"]
mod tests;
