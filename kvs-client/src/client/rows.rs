//! The rows of the service's lists, each no larger than the service's model allows.

#[cfg(feature = "archive")]
use kvs_mkv::{FragmentNumber, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::error::AnswerError;
use crate::shown::{is_harmless, shown};

/// The maximum size of a text: an ARN has at most 1,024 characters; a status, or a tag's key or value, is shorter.
const TEXT_MAX_BYTES: usize = 1_024;

/// What the service says about a stream.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct StreamInfo {
    /// The stream's name.
    #[serde(rename = "StreamName")]
    pub name: String,
    /// Its ARN, which differs from that of an earlier stream with the same name.
    #[serde(rename = "StreamARN")]
    pub arn: String,
    /// Its status: CREATING, ACTIVE, UPDATING or DELETING.
    #[serde(default)]
    pub status: String,
}

/// What the service says about an archived fragment.
#[cfg(feature = "archive")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FragmentInfo {
    /// The fragment's number.
    pub number: FragmentNumber,
    /// Its size in bytes, with its metadata.
    pub size_bytes: u64,
    /// When the service received it.
    pub server_timestamp: Timestamp,
    /// When it was produced, according to the producer.
    pub producer_timestamp: Timestamp,
}

/// Reads a stream's description from the response's `member`.
pub(super) fn stream_info(row: &Value, member: &'static str) -> Result<StreamInfo, AnswerError> {
    let text = || shown(&row.to_string());
    let info =
        StreamInfo::deserialize(row).map_err(|source| AnswerError::NotAStream { member, row: text(), source })?;
    let parts = [("name", &info.name), ("ARN", &info.arn), ("status", &info.status)];
    for (part, value) in parts {
        if value.len() > TEXT_MAX_BYTES || !is_harmless(value) {
            return Err(AnswerError::BadStreamText { member, part, row: text() });
        }
    }
    Ok(info)
}

/// Reads a tag.
pub(super) fn tag(key: &str, value: &Value) -> Result<(String, String), AnswerError> {
    let value = value.as_str().unwrap_or_default();
    if key.len() > TEXT_MAX_BYTES || value.len() > TEXT_MAX_BYTES {
        return Err(AnswerError::BadTag { key: shown(key) });
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads an archived fragment's description.
#[cfg(feature = "archive")]
pub(super) fn fragment_info(row: &Value) -> Result<FragmentInfo, AnswerError> {
    let timestamp = |name: &str| {
        let millis = row[name].as_f64().unwrap_or(0.0) * 1000.0;
        Timestamp::from_millis(millis.round() as i64)
    };
    let number = row["FragmentNumber"].as_str().and_then(|text| text.parse().ok());
    Ok(FragmentInfo {
        number: number.ok_or_else(|| AnswerError::NotAFragment { row: shown(&row.to_string()) })?,
        size_bytes: row["FragmentSizeInBytes"].as_u64().unwrap_or(0),
        server_timestamp: timestamp("ServerTimestamp"),
        producer_timestamp: timestamp("ProducerTimestamp"),
    })
}
