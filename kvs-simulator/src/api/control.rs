//! The control plane (`kvs-api.txt`, kinesisvideo 2017-09-30).

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{parse, refusal};
use crate::error::ServiceError;
use crate::server::Shared;
use crate::source::{Media, Pace, Repeat};
use crate::store;
use crate::stream::{Stream, now_millis};

type Answer = Result<Json<Value>, ServiceError>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateStream {
    stream_name: String,
    media_type: Option<String>,
    #[serde(default)]
    data_retention_in_hours: u64,
}

pub(super) async fn create_stream(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let request: CreateStream = parse(&body)?;
    refusal(&shared, "CreateStream", Some(&request.stream_name))?;
    if !store::valid_name(&request.stream_name) {
        return Err(ServiceError::invalid_argument("StreamName: 1 to 256 characters of [a-zA-Z0-9_.-] were expected."));
    }
    let arn = store::arn(&shared.region, &request.stream_name, now_millis());
    let media = Media::default();
    let mut stream = Stream::new(&request.stream_name, arn.clone(), media, Repeat::Times(1), Pace::Max, &shared.limits);
    stream.retention_hours = request.data_retention_in_hours;
    stream.media_type = request.media_type;
    if !shared.store.add(stream) {
        let message = format!("The stream {} already exists.", request.stream_name);
        return Err(ServiceError::new(400, "ResourceInUseException", message));
    }
    Ok(Json(json!({ "StreamARN": arn })))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListStreams {
    max_results: Option<u64>,
    next_token: Option<String>,
    stream_name_condition: Option<NameCondition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameCondition {
    comparison_operator: Option<String>,
    comparison_value: Option<String>,
}

pub(super) async fn list_streams(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let request: ListStreams = parse(&body)?;
    refusal(&shared, "ListStreams", None)?;
    let page = request.max_results.unwrap_or(10_000);
    if !(1..=10_000).contains(&page) {
        return Err(ServiceError::invalid_argument("MaxResults: 1 to 10000 was expected."));
    }
    let prefix = match &request.stream_name_condition {
        Some(NameCondition { comparison_operator: Some(operator), .. }) if operator != "BEGINS_WITH" => {
            return Err(ServiceError::invalid_argument("ComparisonOperator: BEGINS_WITH was expected."));
        }
        Some(condition) => condition.comparison_value.clone().unwrap_or_default(),
        None => String::new(),
    };
    let after = match &request.next_token {
        Some(token) => decode_token(token)
            .ok_or_else(|| ServiceError::invalid_argument("NextToken is not one that was handed out."))?,
        None => String::new(),
    };
    let names = shared.store.all().into_iter().filter(|stream| stream.name.starts_with(&prefix) && stream.name > after);
    let mut listed: Vec<_> = names.take(page as usize + 1).collect();
    let more = listed.len() > page as usize;
    listed.truncate(page as usize);
    let next_token = listed.last().filter(|_| more).map(|last| encode_token(&last.name));
    let infos: Vec<_> = listed.iter().map(|stream| stream_info(stream)).collect();
    Ok(Json(json!({ "StreamInfoList": infos, "NextToken": next_token })))
}

/// The name a page ended with, in hex: of the characters a NextToken may have.
fn encode_token(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn decode_token(token: &str) -> Option<String> {
    let digits = token.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    String::from_utf8(digits.chunks(2).map(byte).collect::<Option<Vec<_>>>()?).ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StreamRequest {
    stream_name: Option<String>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    #[serde(rename = "APIName")]
    api_name: Option<String>,
}

pub(super) async fn describe_stream(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let request: StreamRequest = parse(&body)?;
    refusal(&shared, "DescribeStream", request.stream_name.as_deref())?;
    let stream = shared.store.find(request.stream_name.as_deref(), request.stream_arn.as_deref())?;
    Ok(Json(json!({ "StreamInfo": stream_info(&stream) })))
}

fn stream_info(stream: &Stream) -> Value {
    json!({
        "StreamName": stream.name,
        "StreamARN": stream.arn,
        "MediaType": stream.media_type,
        "KmsKeyId": "alias/aws/kinesisvideo",
        "Version": stream.version,
        "Status": "ACTIVE",
        "CreationTime": stream.created_seconds,
        "DataRetentionInHours": stream.retention_hours,
    })
}

/// What a data endpoint can be asked for (`kvs-api.txt`, APIName).
const API_NAMES: [&str; 8] = [
    "PUT_MEDIA",
    "GET_MEDIA",
    "LIST_FRAGMENTS",
    "GET_MEDIA_FOR_FRAGMENT_LIST",
    "GET_HLS_STREAMING_SESSION_URL",
    "GET_DASH_STREAMING_SESSION_URL",
    "GET_CLIP",
    "GET_IMAGES",
];

pub(super) async fn get_data_endpoint(State(shared): State<Arc<Shared>>, body: Bytes) -> Answer {
    let request: StreamRequest = parse(&body)?;
    refusal(&shared, "GetDataEndpoint", request.stream_name.as_deref())?;
    let known = request.api_name.as_deref().is_some_and(|name| API_NAMES.contains(&name));
    if !known {
        let message = format!("APIName: one of {} was expected.", API_NAMES.join(", "));
        return Err(ServiceError::invalid_argument(message));
    }
    shared.store.find(request.stream_name.as_deref(), request.stream_arn.as_deref())?;
    Ok(Json(json!({ "DataEndpoint": shared.url })))
}
