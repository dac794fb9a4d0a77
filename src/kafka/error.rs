//! What librdkafka's errors mean to a shard.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::shard::{LogError, LogErrorKind};

pub(super) fn to_log_error(doing: &'static str, error: &KafkaError) -> LogError {
    let kind = match error.rdkafka_error_code() {
        Some(code) => kind_of(code),
        None => LogErrorKind::Other,
    };
    let advice = match (&kind, error.rdkafka_error_code()) {
        (LogErrorKind::NotAuthorized, Some(code)) => advice(code),
        _ => "",
    };
    LogError { kind, doing, text: format!("{error}{advice}") }
}

pub(super) fn timed_out(doing: &'static str, text: String) -> LogError {
    LogError { kind: LogErrorKind::Timeout, doing, text }
}

fn kind_of(code: RDKafkaErrorCode) -> LogErrorKind {
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

/// Which ACL is missing.
fn advice(code: RDKafkaErrorCode) -> &'static str {
    match code {
        RDKafkaErrorCode::TopicAuthorizationFailed => {
            "; grant Read, Write and Describe on the offsets topic, and Write and Describe on the data topic"
        }
        RDKafkaErrorCode::GroupAuthorizationFailed => "; grant Read on the group group.id",
        RDKafkaErrorCode::TransactionalIdAuthorizationFailed => {
            "; grant Write and Describe on transactional ids that begin with group.id (prefixed)"
        }
        RDKafkaErrorCode::ClusterAuthorizationFailed => "; grant IdempotentWrite on the cluster",
        _ => "",
    }
}
