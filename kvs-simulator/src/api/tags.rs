//! Tags of streams.

use axum::response::Response;
use serde_json::json;

use super::call::{Call, json as json_response};
use crate::error::ServiceError;
use crate::store::Store;

/// The most tags of a stream.
pub(super) const TAGS_MAX: usize = 50;

pub(super) fn tag_stream(store: &Store, call: &Call) -> Result<Response, ServiceError> {
    let stream = call.stream(store)?;
    let added = call.request["Tags"].as_object().cloned().unwrap_or_default();
    let mut settings = stream.settings();
    let mut tags = settings.tags.clone();
    tags.extend(added.into_iter().map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned())));
    if tags.len() > TAGS_MAX {
        return Err(ServiceError::too_many_tags());
    }
    settings.tags = tags;
    drop(settings);
    store.save(&stream)?;
    Ok(json_response(json!({})))
}

pub(super) fn untag_stream(store: &Store, call: &Call) -> Result<Response, ServiceError> {
    let stream = call.stream(store)?;
    let keys: Vec<String> = call.parse::<UntagStream>()?.tag_key_list;
    stream.settings().tags.retain(|key, _| !keys.contains(key));
    store.save(&stream)?;
    Ok(json_response(json!({})))
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UntagStream {
    tag_key_list: Vec<String>,
}

/// Lists all tags: one page holds the 50 that a stream may have.
pub(super) fn list_tags_for_stream(store: &Store, call: &Call) -> Result<Response, ServiceError> {
    let stream = call.stream(store)?;
    let tags = stream.settings().tags.clone();
    Ok(json_response(json!({ "Tags": tags })))
}
