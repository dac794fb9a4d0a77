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

/// Whether a client's setting may have this value, as far as can be said without a client.
///
/// # Errors
/// Why not, and what to do.
pub fn check(name: &str, value: &str, around: Around) -> Result<(), String> {
    let (value, name) = (value.trim(), canonical(name));
    if let Some((_, instead)) = JAVA.iter().find(|(java, _)| *java == name) {
        return Err(format!("is a setting of the Java clients, and the clients here are librdkafka's: {instead}"));
    }
    let named = RULES.iter().filter(|(rule, ..)| match rule.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => *rule == name,
    });
    let Some((_, rule, reason)) = named.max_by_key(|(rule, ..)| rule.len()) else { return Ok(()) };
    let within = |least: u64, most: u64| match value.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(()),
        _ => Err(format!("{least} to {most} is taken here: {reason}")),
    };
    match *rule {
        Rule::Refused => Err(format!("cannot be set: {reason}")),
        Rule::Only(values) if values.iter().any(|allowed| allowed.eq_ignore_ascii_case(value)) => Ok(()),
        Rule::Only(values) => Err(format!("only {} is taken here: {reason}", values.join(", "))),
        Rule::Range(least, most) => within(least, most),
        Rule::ZeroOrFrom(least) => match value {
            "0" => Ok(()),
            _ => within(least, i32::MAX as u64).map_err(|reason| format!("0, or {reason}")),
        },
        Rule::UpToTransactionTimeout(least) => within(least, around.transaction_timeout_ms.saturating_sub(5_000)),
        Rule::UpToThirdOfSession => within(50, around.session_timeout_ms / 3),
        Rule::FromLargestRecord => within(around.memory_budget_size_bytes / 1024 + 1024, i32::MAX as u64),
    }
}

#[cfg(test)]
#[path = "librdkafka_keys_tests.rs"]
mod tests;
