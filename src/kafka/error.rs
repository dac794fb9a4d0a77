//! Translates librdkafka's errors into what they mean for a shard.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::model::{LogError, LogErrorKind};

pub(super) fn to_log_error(doing: &'static str, error: &KafkaError) -> LogError {
    let kind = match error.rdkafka_error_code() {
        Some(code) => kind_of(code),
        None => LogErrorKind::Other,
    };
    let text = match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::Resolve,
        ) => format!("{error}: no broker of bootstrap.servers can be reached"),
        Some(RDKafkaErrorCode::InvalidTimestamp | RDKafkaErrorCode::InvalidRecord) => format!(
            "{error}: check this machine's clock, and message.timestamp.before.max.ms and message.timestamp.after.max.ms of \
             the topic"
        ),
        _ => error.to_string(),
    };
    LogError { kind, doing, text }
}

/// Adds what to grant to an authorization error.
pub(super) fn needing(mut error: LogError, grant: &str) -> LogError {
    if error.kind == LogErrorKind::NotAuthorized {
        error.text = format!("{}; grant {grant}", error.text);
    }
    error
}

pub(super) fn timed_out(doing: &'static str, text: String) -> LogError {
    LogError { kind: LogErrorKind::Timeout, doing, text }
}

/// Returns what an error code means for a shard.
pub(super) fn kind_of(code: RDKafkaErrorCode) -> LogErrorKind {
    match code {
        RDKafkaErrorCode::Fenced | RDKafkaErrorCode::InvalidProducerEpoch | RDKafkaErrorCode::ProducerFenced => {
            LogErrorKind::Fenced
        }
        RDKafkaErrorCode::UnknownProducerId | RDKafkaErrorCode::InvalidProducerIdMapping => {
            LogErrorKind::UnknownProducer
        }
        RDKafkaErrorCode::OperationTimedOut
        | RDKafkaErrorCode::MessageTimedOut
        | RDKafkaErrorCode::RequestTimedOut
        | RDKafkaErrorCode::TimedOutQueue => LogErrorKind::Timeout,
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::GroupAuthorizationFailed
        | RDKafkaErrorCode::ClusterAuthorizationFailed
        | RDKafkaErrorCode::TransactionalIdAuthorizationFailed => LogErrorKind::NotAuthorized,
        _ => LogErrorKind::Other,
    }
}
