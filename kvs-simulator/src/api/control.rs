//! The control plane (service model kinesisvideo, 2017-09-30). What the service does in the background happens at once
//! here: a stream is ACTIVE as soon as it is created, and gone as soon as it is deleted.

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, json as json_response};
use super::tags;
use crate::error::ServiceError;
use crate::model::{Settings, Storage, Stream};
use crate::store::Store;

type ServiceResult = Result<Response, ServiceError>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateStream {
    stream_name: String,
    media_type: Option<String>,
    device_name: Option<String>,
    kms_key_id: Option<String>,
    #[serde(default)]
    data_retention_in_hours: u64,
    #[serde(default)]
    tags: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    stream_storage_configuration: Storage,
}

pub(super) fn create_stream(store: &Store, call: &Call) -> ServiceResult {
    let request: CreateStream = call.parse()?;
    if request.tags.len() > tags::TAGS_MAX {
        return Err(ServiceError::too_many_tags());
    }
    let settings = Settings {
        changes: 0,
        retention_hours: request.data_retention_in_hours,
        media_type: request.media_type,
        device_name: request.device_name,
        kms_key_id: request.kms_key_id,
        tags: request.tags,
        storage: request.stream_storage_configuration,
    };
    let stream = store.create(&call.account, &request.stream_name, settings)?;
    Ok(json_response(json!({ "StreamARN": stream.identity.arn })))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListStreams {
    max_results: Option<u64>,
    next_token: Option<String>,
    stream_name_condition: Option<NameCondition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NameCondition {
    comparison_value: Option<String>,
}

pub(super) fn list_streams(store: &Store, call: &Call) -> ServiceResult {
    let request: ListStreams = call.parse()?;
    let page = request.max_results.unwrap_or(10_000);
    let prefix = request.stream_name_condition.and_then(|condition| condition.comparison_value).unwrap_or_default();
    let after = match request.next_token.as_deref() {
        Some("") | None => String::new(),
        Some(token) => decode_token(token).ok_or_else(ServiceError::bad_page_token)?,
    };
    let streams = store.of_account(&call.account);
    let named = streams.iter().filter(|stream| stream.name().starts_with(&prefix) && stream.name() > after.as_str());
    let mut listed: Vec<_> = named.take(page as usize + 1).collect();
    let more = listed.len() > page as usize;
    listed.truncate(page as usize);
    let next_token = listed.last().filter(|_| more).map(|last| encode_token(last.name()));
    let infos: Vec<_> = listed.iter().map(|stream| stream_info(stream)).collect();
    Ok(json_response(json!({ "StreamInfoList": infos, "NextToken": next_token })))
}

/// Encodes the last name of a page as a NextToken, in hex, because a NextToken allows few characters.
pub(super) fn encode_token(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Decodes a NextToken. Returns `None` if it is not one that [`encode_token`] makes.
pub(super) fn decode_token(token: &str) -> Option<String> {
    let digits = token.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    String::from_utf8(digits.chunks(2).map(byte).collect::<Option<Vec<_>>>()?).ok()
}

pub(super) fn describe_stream(store: &Store, call: &Call) -> ServiceResult {
    let stream = call.stream(store)?;
    Ok(json_response(json!({ "StreamInfo": stream_info(&stream) })))
}

/// Returns the StreamInfo of a stream. Members without a value are left out, as the service leaves them out.
fn stream_info(stream: &Stream) -> Value {
    let version = stream.version();
    let settings = stream.settings();
    let mut info = json!({
        "StreamName": stream.name(),
        "StreamARN": stream.identity.arn,
        "KmsKeyId": settings.kms_key_id.as_deref().unwrap_or("alias/aws/kinesisvideo"),
        "Version": version,
        "Status": "ACTIVE",
        "CreationTime": stream.identity.created_millis as f64 / 1000.0,
        "DataRetentionInHours": settings.retention_hours,
    });
    for (member, value) in [("MediaType", &settings.media_type), ("DeviceName", &settings.device_name)] {
        if let Some(value) = value {
            info[member] = value.as_str().into();
        }
    }
    info
}

/// Changes the settings of a stream, if the request names its current version.
fn change(store: &Store, call: &Call, change: impl FnOnce(&mut Settings) -> Result<(), ServiceError>) -> ServiceResult {
    let stream = call.stream(store)?;
    check_version(&stream, call)?;
    {
        let mut settings = stream.settings();
        change(&mut settings)?;
        settings.changes += 1;
    }
    store.save(&stream)?;
    Ok(json_response(json!({})))
}

fn check_version(stream: &Stream, call: &Call) -> Result<(), ServiceError> {
    match call.text("CurrentVersion") {
        Some(version) if version != stream.version() => Err(ServiceError::new(
            400,
            "VersionMismatchException",
            "The stream version that you specified is not the latest version. To get the latest version, use the \
             DescribeStream API.",
        )),
        _ => Ok(()),
    }
}

pub(super) fn update_stream(store: &Store, call: &Call) -> ServiceResult {
    change(store, call, |settings| {
        if let Some(media_type) = call.text("MediaType") {
            settings.media_type = Some(media_type.to_owned());
        }
        if let Some(device_name) = call.text("DeviceName") {
            settings.device_name = Some(device_name.to_owned());
        }
        Ok(())
    })
}

pub(super) fn update_data_retention(store: &Store, call: &Call) -> ServiceResult {
    let hours = call.request["DataRetentionChangeInHours"].as_u64().unwrap_or(0);
    let increases = call.text("Operation") == Some("INCREASE_DATA_RETENTION");
    change(store, call, |settings| {
        let changed = if increases {
            settings.retention_hours.checked_add(hours)
        } else {
            settings.retention_hours.checked_sub(hours)
        };
        let refused = || ServiceError::invalid_argument("The retention period cannot be changed by this many hours.");
        settings.retention_hours = changed.ok_or_else(refused)?;
        Ok(())
    })
}

pub(super) fn describe_stream_storage_configuration(store: &Store, call: &Call) -> ServiceResult {
    let stream = call.stream(store).map_err(ServiceError::into_access_denied)?;
    Ok(json_response(json!({
        "StreamName": stream.name(),
        "StreamARN": stream.identity.arn,
        "StreamStorageConfiguration": stream.settings().storage,
    })))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateStreamStorageConfiguration {
    stream_storage_configuration: Storage,
}

pub(super) fn update_stream_storage_configuration(store: &Store, call: &Call) -> ServiceResult {
    let request: UpdateStreamStorageConfiguration = call.parse()?;
    let changed = change(store, call, |settings| {
        settings.storage = request.stream_storage_configuration;
        Ok(())
    });
    changed.map_err(ServiceError::into_access_denied)
}

pub(super) fn delete_stream(store: &Store, call: &Call) -> ServiceResult {
    let stream = call.stream(store)?;
    check_version(&stream, call)?;
    store.delete(&stream)?;
    Ok(json_response(json!({})))
}

pub(super) fn get_data_endpoint(store: &Store, data_endpoint: &str, call: &Call) -> ServiceResult {
    call.stream(store)?;
    Ok(json_response(json!({ "DataEndpoint": data_endpoint })))
}
