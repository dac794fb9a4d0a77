//! `/connectors/{name}/offsets`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use kvs_client::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{ApiError, JsonBody, Path};
use crate::config::connector::shown;
use crate::model::sequence::checked_to_set;
use crate::model::{DataPartition, StoredOffset};
use crate::worker::Worker;

type Shared = State<Arc<Worker>>;

/// How far the service's clock may be ahead of this machine's.
const CLOCK_SLACK_MS: i64 = 300_000;

/// What PATCH takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alteration {
    offsets: Vec<One>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    partition: Partition,
    offset: Option<Offset>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Partition {
    stream: String,
}

/// An offset: the last fragment that counts as published.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Offset {
    fragment_number: String,
    continuation_token: Option<String>,
    server_timestamp: Option<i64>,
    producer_timestamp: Option<i64>,
    sequence: Option<i64>,
    /// As GET shows it; without it the stream stays where its records are.
    data_partition: Option<DataPartition>,
    /// The same for the topics of further outputs.
    #[serde(default)]
    data_partitions: Vec<DataPartition>,
}

pub(super) async fn get(State(worker): Shared, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let offsets = worker.offsets(&name).await?;
    let mut listed = Vec::new();
    for (stream, offset) in offsets {
        let offset = match offset {
            Ok(offset) => serde_json::from_slice(&offset.to_bytes()).unwrap_or(Value::Null),
            Err(reason) => json!({ "error": reason }),
        };
        listed.push(json!({ "partition": { "stream": stream }, "offset": offset }));
    }
    Ok(Json(json!({ "offsets": listed })))
}

pub(super) async fn patch(
    State(worker): Shared,
    Path(name): Path<String>,
    JsonBody(alteration): JsonBody<Alteration>,
) -> Result<Json<Value>, ApiError> {
    let mut offsets = BTreeMap::new();
    if alteration.offsets.is_empty() {
        return Err(ApiError::bad_request("Partitions / offsets need to be provided for an alter offsets request"));
    }
    for One { partition: Partition { stream }, offset } in alteration.offsets {
        let in_stream = |reason: String| ApiError::bad_request(format!("offsets: stream {stream:?}: {reason}"));
        let named = stream.parse::<kvs_client::StreamRef>().map_err(|error| in_stream(error.to_string()))?;
        let offset = offset.map(|offset| stored(offset).map_err(in_stream)).transpose()?;
        if offsets.insert(named.name().to_owned(), offset).is_some() {
            return Err(ApiError::bad_request(format!("offsets: stream {stream:?} is there twice")));
        }
    }
    worker.alter_offsets(&name, offsets).await?;
    Ok(Json(json!({ "message": "The offsets for this connector have been altered successfully" })))
}

fn stored(offset: Offset) -> Result<StoredOffset, String> {
    let Offset {
        fragment_number,
        continuation_token,
        server_timestamp,
        producer_timestamp,
        sequence,
        data_partition,
        data_partitions,
    } = offset;
    let fragment_number = fragment_number.parse().map_err(|error| format!("fragmentNumber: {error}"))?;
    let token_is_valid = |token: &String| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        (1..=128).contains(&token.len()) && token.bytes().all(allowed)
    };
    if continuation_token.as_ref().is_some_and(|token| !token_is_valid(token)) {
        return Err("continuationToken: 1 to 128 characters of [a-zA-Z0-9_.-] were expected".to_owned());
    }
    let time = |millis: i64| {
        let valid = (0..9_000_000_000_000_000).contains(&millis);
        if valid { Ok(Timestamp::from_millis(millis)) } else { Err(format!("{millis} are no milliseconds since 1970")) }
    };
    let server_timestamp = server_timestamp.map(time).transpose()?;
    // A backfill would take itself for done by it.
    let latest_ms = Timestamp::from_system_time(SystemTime::now()).millis().saturating_add(CLOCK_SLACK_MS);
    if let Some(ahead) = server_timestamp.filter(|time| time.millis() > latest_ms) {
        return Err(format!(
            "serverTimestamp: {} lies in the future; milliseconds since 1970 were expected",
            shown(ahead)
        ));
    }
    Ok(StoredOffset {
        continuation_token,
        fragment_number,
        server_timestamp,
        producer_timestamp: producer_timestamp.map(time).transpose()?,
        sequence: sequence.map(checked_to_set).transpose().map_err(|error| error.to_string())?,
        data_partitions: data_partition.into_iter().chain(data_partitions).collect(),
    })
}

pub(super) async fn delete(State(worker): Shared, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    worker.reset_offsets(&name).await?;
    Ok(Json(json!({ "message": "The offsets for this connector have been reset successfully" })))
}

#[cfg(test)]
#[path = "offsets_tests.rs"]
mod tests;
