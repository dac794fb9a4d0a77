//! Names the setting to change for errors of the service's client, which does not know the names of settings.

use kvs_client::{ConfigError, EndpointError, Error, LimitKind, PassedOver};
use kvs_mkv::ErrorKind;

/// Returns an error's text, with the setting to change, if there is one.
pub(crate) fn explain(error: &Error) -> String {
    match error {
        Error::Unparsable { .. } => format!(
            "{error}. It is skipped, with a notification, if errors.tolerance is all and its number is known; \
             otherwise set the stream's offset beyond it"
        ),
        Error::Media { error: media, .. } => match media.kind() {
            ErrorKind::TooLarge { what: LimitKind::FragmentBytes, .. } => format!(
                "{error}. Raise kvs.fragment.max.size.bytes, or skip such fragments, with a notification, by \
                 errors.tolerance=all"
            ),
            _ => error.to_string(),
        },
        Error::PositionLost { .. } => {
            format!(
                "{error} (kvs.position.lost is fail); set the stream's offset, or kvs.position.lost to earliest or now"
            )
        }
        // The limit is the service's (docs/GETMEDIA.md).
        Error::Service(refused) if refused.error_type == "ConnectionLimitExceededException" => format!(
            "{error}. The service allows three sessions of GetMedia a stream; other connectors or programs have them"
        ),
        Error::StartFragmentMissing { .. } => format!("{error} (kvs.start.fragment.inclusive)"),
        Error::Config(config) => match &**config {
            ConfigError::NoRegion => format!("{error} (kvs.region)"),
            ConfigError::Clock => format!("{error} (kvs.clock.offset.ms)"),
            ConfigError::Endpoint(endpoint) => explain_endpoint(endpoint),
            _ => error.to_string(),
        },
        _ => error.to_string(),
    }
}

/// Returns why a fragment is passed over, with the setting to change, if there is one.
pub(crate) fn explain_passed_over(passed_over: &PassedOver) -> String {
    match passed_over.exceeds {
        Some(LimitKind::FragmentBytes) => format!("{} (kvs.fragment.max.size.bytes)", passed_over.reason),
        _ => passed_over.reason.clone(),
    }
}

/// Returns what is wrong with an endpoint, with the setting to change, if there is one.
pub(crate) fn explain_endpoint(error: &EndpointError) -> String {
    match error {
        EndpointError::PlainHttp { .. } => format!("{error} (kvs.endpoint.plain.http)"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
#[path = "service_errors_tests.rs"]
mod tests;
