//! Settings that Kafka Connect has and kvs-connect does not, with what happens to each.
//!
//! **Contract.** Every setting of Kafka Connect 4.1, of connectors and of workers, is either one of our own
//! ([`super::table`]) or listed here: accepted with those values that describe what kvs-connect does anyway, or refused
//! with the reason and what to do. No value is accepted with which kvs-connect would act differently.

mod connector;
mod worker;

pub use connector::CONNECTOR;
pub use worker::WORKER;

/// Reasons that both tables share.
const CONVERTERS: &str = "converters have the settings of the schema registry: schema.registry.*, auto.register.schemas, \
    use.latest.version, value.subject.name.strategy";
const REGISTRY_TLS: &str = "schema.registry.tls.ca.file, schema.registry.tls.certificate.file and \
    schema.registry.tls.key.file are for https:// URLs, in PEM";
const REGISTRY_PROXY: &str = "schema.registry.proxy.url names the proxy";
const APICURIO: &str = "schema.registry.url is for the registry's API of Confluent: http://HOST:8080/apis/ccompat/v7";
const USER_INFO: &str = "schema.registry.basic.auth.user.info has user and password";
const TOKEN: &str = "schema.registry.bearer.auth.token has the token";
const KEY_SUBJECTS: &str = "keys are strings, which have no name, so the topic names their subject";
const HEADERS: &str = "headers are written as text, in UTF-8";

/// A setting of Kafka Connect.
#[derive(Debug, Clone, Copy)]
pub struct ConnectKey {
    /// The setting's name; a name that ends with `.*` stands for all names with this prefix.
    pub name: &'static str,
    /// Values with which it is accepted.
    pub accepts: Accepts,
    /// What kvs-connect does anyway, and what to do instead of setting other values.
    pub reason: &'static str,
}

/// Values with which a setting is accepted. An empty value, which Connect treats as unset, is always accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// Any.
    Anything,
    /// One of these, in any case; a class with or without its package.
    These(&'static [&'static str]),
    /// Some of these, separated by commas.
    Some(&'static [&'static str]),
    /// Only the empty value.
    Nothing,
}

/// A setting of Kafka Connect, or one of its values, that asks for something kvs-connect does not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectKeyError {
    /// The setting accepts some values, and this is none of them.
    #[error("only {} is accepted: {reason}", expected.join(", "))]
    Value {
        /// The accepted values.
        expected: &'static [&'static str],
        /// Why there are no others, and what to do instead.
        reason: &'static str,
    },
    /// The setting does not exist in kvs-connect.
    #[error("cannot be set here: {reason}")]
    Refused {
        /// Why not, and what to do instead.
        reason: &'static str,
    },
}

impl ConnectKey {
    fn is(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            // A prefix with more behind it.
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

/// Checks a setting with this value; `None`: Kafka Connect has no such setting.
///
/// # Errors
/// Why the setting or its value is refused, and what to do.
pub fn check(table: &[ConnectKey], name: &str, value: &str) -> Option<Result<(), ConnectKeyError>> {
    // The longest match, so that a name within a prefix can have its own row.
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
