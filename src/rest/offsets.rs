//! `/connectors/{name}/offsets`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use kvs_client::{Continuity, Timestamp};

use super::api::Message;
use super::api::offsets::{Alteration, Altered, Offset, OffsetFound, Offsets, Partition, PartitionOffset};
use super::connectors::name_parameter;
use super::error::{ApiError, JsonBody, Path};
use super::routes::{Herder, Routes, operation};
use crate::config::connector::shown;
use crate::model::StoredOffset;

type Shared = State<Herder>;

/// How far the service's clock may be ahead of this machine's.
const CLOCK_SLACK_MS: i64 = 300_000;
/// The first value in milliseconds that is no longer accepted as a time.
const MILLIS_END: i64 = 9_000_000_000_000_000;
/// The longest continuation token.
const TOKEN_MAX_CHARS: usize = 128;
const EXAMPLE: &str = r#"{ "offsets": [{ "partition": { "stream": "front-door" },
    "offset": { "fragmentNumber": "91343852333181432392682062607743920146150000042" } }] }"#;

/// Reasons why an offset cannot be set.
#[derive(Debug, thiserror::Error)]
enum OffsetError {
    #[error("fragmentNumber: {0}")]
    FragmentNumber(#[source] kvs_mkv::BadFragmentNumber),
    #[error("continuationToken: 1 to {TOKEN_MAX_CHARS} characters of [a-zA-Z0-9_.-] were expected")]
    ContinuationToken,
    #[error("{millis} is not a number of milliseconds since 1970")]
    Time { millis: i64 },
    /// A backfill would then consider itself done.
    #[error("serverTimestamp: {} is in the future; milliseconds since 1970 were expected", shown(*ahead))]
    Future { ahead: Timestamp },
    #[error(transparent)]
    Sequence(#[from] crate::model::OffsetError),
}

pub(super) fn routes() -> Routes {
    Routes::new("offsets")
        .parameter(name_parameter())
        .get(
            "/connectors/{name}/offsets",
            get,
            operation("getOffsets", "Get the last published fragment of each of a connector's streams")
                .returns::<Offsets>(200, "The offsets."),
        )
        .patch(
            "/connectors/{name}/offsets",
            patch,
            operation("alterOffsets", "Continue after other fragments; the connector must be STOPPED")
                .describe("An offset is the last fragment that counts as published; null discards it.")
                .takes::<Alteration>(EXAMPLE)
                .returns::<Message>(200, "Done."),
        )
        .delete(
            "/connectors/{name}/offsets",
            delete,
            operation(
                "resetOffsets",
                "Discard the positions of all of a connector's streams; the connector must be STOPPED",
            )
            .returns::<Message>(200, "Done.")
            .may_be_wrong(),
        )
}

async fn get(State(herder): Shared, Path(name): Path<String>) -> Result<Json<Offsets>, ApiError> {
    let offsets = herder.offsets(&name).await?.into_iter().map(|(stream, offset)| PartitionOffset {
        partition: Partition { stream },
        offset: match offset {
            Ok(offset) => OffsetFound::Published(offset.into()),
            Err(unreadable) => OffsetFound::Unreadable { error: unreadable.to_string() },
        },
    });
    Ok(Json(Offsets { offsets: offsets.collect() }))
}

async fn patch(
    State(herder): Shared,
    Path(name): Path<String>,
    JsonBody(alteration): JsonBody<Alteration>,
) -> Result<Json<Message>, ApiError> {
    let mut offsets = BTreeMap::new();
    if alteration.offsets.is_empty() {
        return Err(ApiError::bad_request("Partitions / offsets need to be provided for an alter offsets request"));
    }
    for Altered { partition: Partition { stream }, offset } in alteration.offsets {
        let in_stream = |reason: String| ApiError::bad_request(format!("offsets: stream {stream:?}: {reason}"));
        let named = stream.parse::<kvs_client::StreamRef>().map_err(|error| in_stream(error.to_string()))?;
        let offset = offset.map(stored).transpose().map_err(|error| in_stream(error.to_string()))?;
        if offsets.insert(named.name().to_owned(), offset).is_some() {
            return Err(ApiError::bad_request(format!("offsets: stream {stream:?} occurs twice")));
        }
    }
    herder.alter_offsets(&name, offsets).await?;
    Ok(Json(Message { message: "The offsets for this connector have been altered successfully" }))
}

async fn delete(State(herder): Shared, Path(name): Path<String>) -> Result<Json<Message>, ApiError> {
    herder.reset_offsets(&name).await?;
    Ok(Json(Message { message: "The offsets for this connector have been reset successfully" }))
}

/// Returns an offset in its stored form.
fn stored(offset: Offset) -> Result<StoredOffset, OffsetError> {
    let Offset {
        fragment_number,
        continuation_token,
        server_timestamp,
        producer_timestamp,
        sequence,
        data_partition,
        data_partitions,
    } = offset;
    let fragment_number = fragment_number.parse().map_err(OffsetError::FragmentNumber)?;
    let token_is_valid = |token: &String| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        (1..=TOKEN_MAX_CHARS).contains(&token.len()) && token.bytes().all(allowed)
    };
    if continuation_token.as_ref().is_some_and(|token| !token_is_valid(token)) {
        return Err(OffsetError::ContinuationToken);
    }
    let time = |millis: i64| {
        let is_valid = (0..MILLIS_END).contains(&millis);
        if is_valid { Ok(Timestamp::from_millis(millis)) } else { Err(OffsetError::Time { millis }) }
    };
    let server_timestamp = server_timestamp.map(time).transpose()?;
    let latest_ms = Timestamp::from_system_time(SystemTime::now()).millis().saturating_add(CLOCK_SLACK_MS);
    if let Some(ahead) = server_timestamp.filter(|time| time.millis() > latest_ms) {
        return Err(OffsetError::Future { ahead });
    }
    let sequence = sequence.map(crate::model::sequence::checked_to_set).transpose().map_err(OffsetError::Sequence)?;
    Ok(StoredOffset {
        continuation_token,
        fragment_number,
        server_timestamp,
        producer_timestamp: producer_timestamp.map(time).transpose()?,
        sequence,
        data_partitions: data_partition.into_iter().chain(data_partitions).map(Into::into).collect(),
        // What is published next does not follow what was published last.
        continuity: Continuity { interrupted: true, ..Continuity::default() },
        frames: None,
    })
}

#[cfg(test)]
#[path = "offsets_tests.rs"]
mod tests;
