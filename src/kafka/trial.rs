//! Checks that librdkafka accepts the settings of every kind of client, before anything depends on one.

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};

use super::context::LogContext;
use super::settings::KafkaSettings;
use crate::model::{IdScheme, ShardId};

impl ProducerContext for LogContext {
    type DeliveryOpaque = ();

    // Nothing is ever sent.
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// A setting that librdkafka refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The prefix of this kind of client's settings: `producer.`, `consumer.`, `admin.`.
    pub prefix: &'static str,
    /// The setting, if the error names it.
    pub key: Option<String>,
    /// The error, without any value.
    pub reason: String,
}

/// Creates a client of every kind with the effective settings, and returns what is refused. Contacts no broker.
pub fn refused(settings: &KafkaSettings) -> Vec<Refused> {
    let consumers = [settings.membership_config(), settings.reader_config("read_committed"), settings.claim_config()];
    let producers = [settings.producer_config(ShardId(0), IdScheme::default()), settings.status_producer_config()];
    let mut refused = Vec::new();
    let mut note = |prefix, made: Result<(), KafkaError>| {
        if let Err(error) = made {
            let found = describe(prefix, &error);
            if !refused.contains(&found) {
                refused.push(found);
            }
        }
    };
    for config in producers {
        note("producer.", alone(config).create_with_context::<_, BaseProducer<LogContext>>(LogContext).map(drop));
    }
    for config in consumers {
        note("consumer.", alone(config).create_with_context::<_, BaseConsumer<LogContext>>(LogContext).map(drop));
    }
    let admin = alone(settings.admin_config());
    note("admin.", admin.create_with_context::<_, AdminClient<LogContext>>(LogContext).map(drop));
    note("admin.", admin.create_with_context::<_, BaseConsumer<LogContext>>(LogContext).map(drop));
    refused
}

/// Removes the brokers, which the client would contact at once.
fn alone(mut config: ClientConfig) -> ClientConfig {
    config.remove("bootstrap.servers");
    config
}

fn describe(prefix: &'static str, error: &KafkaError) -> Refused {
    match error {
        KafkaError::ClientConfig(_, reason, key, value) => {
            // The value may be a password.
            let reason = if value.is_empty() { reason.clone() } else { reason.replace(value.as_str(), "…") };
            Refused { prefix, key: Some(key.clone()), reason }
        }
        KafkaError::ClientCreation(reason) => {
            // The error names no setting, and the default is a mechanism that is not built in.
            let key = reason.contains("SASL mechanism").then(|| "sasl.mechanism".to_owned());
            Refused { prefix, key, reason: reason.clone() }
        }
        other => Refused { prefix, key: None, reason: other.to_string() },
    }
}

#[cfg(test)]
#[path = "trial_tests.rs"]
mod tests;
