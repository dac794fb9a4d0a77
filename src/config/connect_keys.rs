//! Settings that Kafka Connect has and this program has not: what becomes of each.
//!
//! **Contract.** Every setting of Kafka Connect 4.1, of connectors and of workers, is one of our own ([`super::table`]),
//! or stands here: accepted with those values for which it asks for nothing that is not so anyway, or refused with the
//! reason and what to do. Nothing is taken that would be done otherwise.

mod connector;
mod worker;

pub use connector::CONNECTOR;
pub use worker::WORKER;

/// Reasons that both tables give.
const VALUES: &str = "values are Avro records in the single-object encoding (schemas/fragment.avsc), written as they are; no \
    converter and no schema registry comes between";
const HEADERS: &str = "headers are written as text, in UTF-8";

/// A setting of Kafka Connect's.
#[derive(Debug, Clone, Copy)]
pub struct ConnectKey {
    /// Its name; what ends with `.*` stands for all that begin so.
    pub name: &'static str,
    /// Values with which it is accepted.
    pub accepts: Accepts,
    /// Why: what is so anyway, and what to do instead of the rest.
    pub reason: &'static str,
}

/// Values with which a setting is accepted. An empty one, which Connect takes for none, always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// Any.
    Anything,
    /// One of these, in capitals or not; a class with its package or without.
    These(&'static [&'static str]),
    /// Some of these, with commas between.
    Some(&'static [&'static str]),
    /// No other than the empty one.
    Nothing,
}

/// A setting of Kafka Connect's, or a value of it, that asks for something that is not done here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectKeyError {
    /// The setting has some values here, and this is none of them.
    #[error("only {} is taken: {reason}", expected.join(", "))]
    Value {
        /// The values that it has.
        expected: &'static [&'static str],
        /// Why there are no others, and what to do instead.
        reason: &'static str,
    },
    /// The setting does not exist here.
    #[error("cannot be set here: {reason}")]
    Refused {
        /// Why not, and what to do instead.
        reason: &'static str,
    },
}

impl ConnectKey {
    fn is(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            // A prefix with a setting behind it.
            Some(prefix) => name.len() > prefix.len() && name.starts_with(prefix),
            None => name == self.name,
        }
    }

    fn check(&self, value: &str) -> Result<(), ConnectKeyError> {
        let value = value.trim();
        let class = value.rsplit('.').next().unwrap_or(value);
        let accepted = match self.accepts {
            Accepts::Anything => true,
            Accepts::These(values) => {
                values.iter().any(|known| known.eq_ignore_ascii_case(value) || known.eq_ignore_ascii_case(class))
            }
            Accepts::Some(values) => value.split(',').all(|one| values.contains(&one.trim())),
            Accepts::Nothing => false,
        };
        if accepted || value.is_empty() {
            return Ok(());
        }
        Err(match self.accepts {
            Accepts::These(expected) | Accepts::Some(expected) => {
                ConnectKeyError::Value { expected, reason: self.reason }
            }
            _ => ConnectKeyError::Refused { reason: self.reason },
        })
    }
}

/// What becomes of a setting with this value; `None`: it is none of Connect's.
///
/// # Errors
/// Why it is refused, and what to do.
pub fn check(table: &[ConnectKey], name: &str, value: &str) -> Option<Result<(), ConnectKeyError>> {
    // The longest that fits, so that a prefix leaves room for what is within it.
    let found = table.iter().filter(|key| key.is(name)).max_by_key(|key| key.name.len())?;
    Some(found.check(value))
}

/// A row of a table.
const fn key(name: &'static str, accepts: Accepts, reason: &'static str) -> ConnectKey {
    ConnectKey { name, accepts, reason }
}

#[cfg(test)]
#[path = "connect_keys_tests.rs"]
mod tests;
