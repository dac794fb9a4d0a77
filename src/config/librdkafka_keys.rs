//! Settings of Kafka's clients: what may be set of librdkafka's, and what people set who know the Java clients.
//!
//! **Contract.** What exactly once and "nothing stands still" rest on cannot be set otherwise, and says why; bounds are
//! those within which a client still does its work. A setting that only the Java clients have names what does the same
//! here. Whatever is in none of the tables is librdkafka's to judge, when the clients are made for the first time.

mod java;
mod rules;

pub use java::JAVA;
pub use rules::{RULES, Rule};

/// Names of librdkafka's that mean the same, each with the one that is used: a client that is given both would take
/// either.
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

/// What bounds of settings depend on.
#[derive(Debug, Clone, Copy)]
pub struct Around {
    /// `transaction.timeout.ms`.
    pub transaction_timeout_ms: u64,
    /// `session.timeout.ms`.
    pub session_timeout_ms: u64,
    /// `memory.budget.size.bytes`.
    pub memory_budget_size_bytes: u64,
}

/// The name that is used of those that mean the same.
pub fn canonical(name: &str) -> &str {
    SAME.iter().find(|(other, _)| *other == name).map_or(name, |(_, name)| name)
}

/// A setting of Kafka's clients, or a value of it, that is not taken here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientKeyError {
    /// Only the Java clients have the setting.
    #[error("is a setting of the Java clients, and the clients here are librdkafka's: {instead}")]
    Java {
        /// What does the same here.
        instead: &'static str,
    },
    /// Something rests on the setting.
    #[error("cannot be set: {reason}")]
    Refused {
        /// What rests on it.
        reason: &'static str,
    },
    /// Something rests on the values that the setting has.
    #[error("only {} is taken here: {reason}", expected.join(", "))]
    Value {
        /// The values that it has.
        expected: &'static [&'static str],
        /// What rests on them.
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
    /// Something rests on the bounds that the setting has.
    #[error("{}{least} to {most} is taken here: {reason}", if *or_zero { "0, or " } else { "" })]
    Range {
        /// Whether 0 is taken, too.
        or_zero: bool,
        /// The smallest number.
        least: u64,
        /// The largest number.
        most: u64,
        /// What rests on them.
        reason: &'static str,
    },
}

/// What is said of OAUTHBEARER where nothing provides tokens: clients would wait for one for ever.
pub const NO_TOKENS: &str = "OAUTHBEARER needs tokens, and nothing here fetches or signs any (OIDC, Amazon MSK's IAM): use \
    SCRAM-SHA-512, or certificates with security.protocol=SSL; unsigned tokens, for tests, need \
    enable.sasl.oauthbearer.unsecure.jwt=true for producer., consumer. and admin.";

/// Checks that a client's setting may have this value, as far as can be said without a client.
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
