//! Keys of the offsets topic, in Kafka Connect's form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The key of a stream's offset, in Kafka Connect's form: `["connector",{"stream":"name or ARN"}]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OffsetKey {
    /// Name of the connector.
    pub connector: String,
    /// Name of the stream. Earlier versions wrote its ARN if it was configured by ARN (`crate::shard::by_arn`).
    pub stream: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Partition {
    stream: String,
}

impl OffsetKey {
    /// Returns the key, always by name, of a stream that is given by name or by ARN.
    pub fn of_stream(connector: &str, stream: &str) -> Self {
        let key = Self { connector: connector.to_owned(), stream: stream.to_owned() };
        key.by_name().unwrap_or(key)
    }

    /// Returns the key by name for a key by ARN, as earlier versions wrote them; `None`: it already is by name.
    pub fn by_name(&self) -> Option<Self> {
        // Names contain no colons or slashes.
        let name = self.stream.strip_prefix("arn:")?.rsplit('/').nth(1)?;
        Some(Self { connector: self.connector.clone(), stream: name.to_owned() })
    }

    /// Returns the key's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let stream = Value::from(self.stream.as_str());
        let connector = Value::from(self.connector.as_str());
        format!(r#"[{connector},{{"stream":{stream}}}]"#).into_bytes()
    }

    /// Reads a key; `None`: it is not a stream's.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (connector, Partition { stream }) = serde_json::from_slice(bytes).ok()?;
        Some(Self { connector, stream })
    }
}

#[cfg(test)]
#[path = "offset_key_tests.rs"]
mod tests;
