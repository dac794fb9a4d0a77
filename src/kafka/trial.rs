//! Whether librdkafka takes the settings of every kind of client, before anything depends on one.

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, DeliveryResult, ProducerContext};

use super::context::LogContext;
use super::settings::KafkaSettings;
use crate::shard::{IdScheme, ShardId};

impl ProducerContext for LogContext {
    type DeliveryOpaque = ();

    // Nothing is ever sent.
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// What librdkafka refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What the settings of such a client begin with: `producer.`, `consumer.`, `admin.`.
    pub prefix: &'static str,
    /// The setting, when it says so.
    pub key: Option<String>,
    /// What it says; no value is in it.
    pub reason: String,
}

/// Makes a client of every kind with the settings that are in force, and asks no broker.
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

/// Without brokers, which it would look for at once.
fn alone(mut config: ClientConfig) -> ClientConfig {
    config.remove("bootstrap.servers");
    config
}

fn describe(prefix: &'static str, error: &KafkaError) -> Refused {
    match error {
        KafkaError::ClientConfig(_, reason, key, value) => {
            // It may be a password.
            let reason = if value.is_empty() { reason.clone() } else { reason.replace(value.as_str(), "…") };
            Refused { prefix, key: Some(key.clone()), reason }
        }
        KafkaError::ClientCreation(reason) => {
            // It names none, and the default is a mechanism that is not built in.
            let key = reason.contains("SASL mechanism").then(|| "sasl.mechanism".to_owned());
            Refused { prefix, key, reason: reason.clone() }
        }
        other => Refused { prefix, key: None, reason: other.to_string() },
    }
}

#[cfg(test)]
#[path = "trial_tests.rs"]
mod tests;
