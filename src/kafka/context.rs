//! Passes librdkafka's log lines to our log.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;

use crate::open_files;
use crate::supervision::catch_callback;

/// A context that logs with tracing.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogContext;

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log_error(&error, reason);
    }
}

impl rdkafka::consumer::ConsumerContext for LogContext {}

/// Logs a line of Kafka's client. Called from C, where a panic would end the process.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    let _ = catch_callback(|| write(level, facility, message));
}

/// The system's messages when no descriptors are left, EMFILE and ENFILE.
const OUT_OF_FILES: [&str; 2] = ["Too many open files", "File table overflow"];

fn write(level: RDKafkaLogLevel, facility: &str, message: &str) {
    if OUT_OF_FILES.iter().any(|text| message.contains(text)) {
        open_files::refused();
    }
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        // What matters of these is returned as the error of a call, which says what was being done.
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => tracing::trace!(target: "librdkafka", facility, "{message}"),
    }
}

pub(super) fn log_error(error: &KafkaError, reason: &str) {
    let _ = catch_callback(|| tracing::debug!(target: "librdkafka", %error, "{reason}"));
}
