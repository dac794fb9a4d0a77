//! Remembers why a client last failed to reach a broker: its calls only report that they timed out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::context::{log, log_error};
use crate::supervision::catch_callback;

/// The maximum length of a reason, in characters.
const REASON_CHARS_MAX: usize = 500;
/// How long to wait for a client's next report.
const REPORT_TIMEOUT: Duration = Duration::from_millis(50);
/// The maximum number of a client's reports that are read at once.
const REPORTS_MAX: usize = 100;

/// A context that logs, and remembers the last failure of a connection.
#[derive(Debug, Clone, Default)]
pub struct FailureContext(Arc<Mutex<Option<String>>>);

impl FailureContext {
    fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes a failure. That all brokers are down says nothing that the failure of each does not.
    fn note(&self, error: &KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            let reason = reason.trim().chars().take(REASON_CHARS_MAX).collect();
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        }
    }
}

/// Returns why a client's last connection that failed did, whether by TCP, TLS or SASL. Blocks for a moment: a client that
/// reads nothing reports only when it is asked.
pub fn last_failure(client: &BaseConsumer<FailureContext>) -> Option<String> {
    for _ in 0..REPORTS_MAX {
        if client.poll(REPORT_TIMEOUT).is_none() {
            break;
        }
    }
    client.context().last()
}

/// Returns the same as far as the client has reported it already. Unlike [`last_failure`], it takes no record from a consumer that
/// reads.
pub fn noted_failure(client: &BaseConsumer<FailureContext>) -> Option<String> {
    client.context().last()
}

impl ClientContext for FailureContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let _ = catch_callback(|| self.note(&error, reason));
        log_error(&error, reason);
    }
}

impl ConsumerContext for FailureContext {}

/// Kafka cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}{}", reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
pub struct Unreachable {
    /// The client's error.
    pub error: KafkaError,
    /// Why the last connection that failed did, if one has.
    pub reason: Option<String>,
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
