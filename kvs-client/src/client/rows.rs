//! What the service lists, row by row; a row is no larger than the service's model lets it be.

use kvs_mkv::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{FragmentInfo, StreamInfo};
use crate::shown::{is_harmless, shown};

/// An ARN has at most 1,024 characters; a status, or a tag's key or value, has fewer bytes.
const TEXT_MAX_BYTES: usize = 1_024;

/// Reads what is said of a stream.
pub(super) fn stream_info(row: &Value) -> Result<StreamInfo, String> {
    let no_stream = |why: &str| format!("this is no stream, {why}: {}", shown(&row.to_string()));
    let info = StreamInfo::deserialize(row).map_err(|error| no_stream(&shown(&error.to_string())))?;
    let parts = [("name", &info.name), ("ARN", &info.arn), ("status", &info.status)];
    for (part, text) in parts {
        if text.len() > TEXT_MAX_BYTES || !is_harmless(text) {
            return Err(no_stream(&format!("by its {part}")));
        }
    }
    Ok(info)
}

/// Reads a tag.
pub(super) fn tag(key: &str, value: &Value) -> Result<(String, String), String> {
    let value = value.as_str().unwrap_or_default();
    if key.len() > TEXT_MAX_BYTES || value.len() > TEXT_MAX_BYTES {
        return Err(format!("this is no tag, by its length: {}", shown(key)));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads what is said of an archived fragment.
pub(super) fn fragment_info(row: &Value) -> Result<FragmentInfo, String> {
    let timestamp = |name: &str| {
        let millis = row[name].as_f64().unwrap_or(0.0) * 1000.0;
        Timestamp::from_millis(millis.round() as i64)
    };
    let number = row["FragmentNumber"].as_str().and_then(|text| text.parse().ok());
    Ok(FragmentInfo {
        number: number.ok_or_else(|| format!("this is no fragment: {}", shown(&row.to_string())))?,
        size_bytes: row["FragmentSizeInBytes"].as_u64().unwrap_or(0),
        server_timestamp: timestamp("ServerTimestamp"),
        producer_timestamp: timestamp("ProducerTimestamp"),
    })
}
