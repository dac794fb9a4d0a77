//! The record of a position under an ARN ([`super::by_arn`] has the contract).

use serde::{Deserialize, Serialize};

use crate::model::{OffsetError, StoredOffset};

/// A position under an ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionByArn {
    /// The last fragment that was published under it.
    pub offset: StoredOffset,
    /// Whether nobody publishes under the ARN any more.
    pub moved: bool,
}

/// A moved position, in a form that earlier versions refuse to read as an offset.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Moved {
    version: u32,
    moved_to: String,
    offset: serde_json::Value,
}

const MOVED_VERSION: u32 = 2;

impl PositionByArn {
    /// Reads the value of a key by ARN.
    ///
    /// # Errors
    /// When the value cannot be read.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OffsetError> {
        match serde_json::from_slice::<Moved>(bytes) {
            Ok(Moved { version: MOVED_VERSION, offset, .. }) => {
                let offset = serde_json::to_vec(&offset)?;
                Ok(Self { offset: StoredOffset::from_bytes(&offset)?, moved: true })
            }
            _ => Ok(Self { offset: StoredOffset::from_bytes(bytes)?, moved: false }),
        }
    }
}

/// Returns the value that marks a position as moved to the key of this name.
pub(super) fn moved_bytes(offset: &StoredOffset, name: &str) -> Vec<u8> {
    let offset = serde_json::from_slice(&offset.to_bytes()).unwrap_or_default();
    let moved = Moved { version: MOVED_VERSION, moved_to: name.to_owned(), offset };
    // A number, a string and JSON always serialise.
    serde_json::to_vec(&moved).unwrap_or_default()
}
