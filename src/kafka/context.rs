//! librdkafka's own words, into our log.

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

/// Writes a line of Kafka's client. It is called from C, where a panic would end the process.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    let _ = catch_callback(|| write(level, facility, message));
}

/// What the system says when there are no descriptors left, EMFILE and ENFILE.
const OUT_OF_FILES: [&str; 2] = ["Too many open files", "File table overflow"];

fn write(level: RDKafkaLogLevel, facility: &str, message: &str) {
    if OUT_OF_FILES.iter().any(|text| message.contains(text)) {
        open_files::refused();
    }
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        // What matters of these comes back as the error of a call, with what was being done.
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::debug!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Debug => tracing::trace!(target: "librdkafka", facility, "{message}"),
    }
}

pub(super) fn log_error(error: &KafkaError, reason: &str) {
    let _ = catch_callback(|| tracing::debug!(target: "librdkafka", %error, "{reason}"));
}
