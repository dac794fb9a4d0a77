//! Whether a record says of its media what they are.

use kvs_mkv::Fragment;
use serde_json::Value as Json;

use crate::output::{MEDIA_FIELDS, fields_of_media};

/// What media without tags do not know: their times, and what the tags say of a track.
const OF_TAGS: [&str; 4] = ["server_timestamp", "producer_timestamp", "first_frame_utc", "last_frame_utc"];
const OF_TAGS_OF_TRACK: &str = "media_type";

/// Returns the first field of a fragment's record that is not what its media say: their number, times, frames, tracks or tags. Fields
/// that an earlier version did not write, and what a payload without tags does not know, are not compared.
pub fn misdescribed(fields: &Json, media: &Fragment) -> Option<&'static str> {
    let expected = fields_of_media(media);
    MEDIA_FIELDS.into_iter().find(|&name| {
        let (said, found) = (&fields[name], &expected[name]);
        let is_unknown = match name {
            "tags" => found.as_array().is_none_or(Vec::is_empty),
            "start_ns" => found.is_null(),
            _ => OF_TAGS.contains(&name) && found.is_null(),
        };
        !is_unknown && contradicts(said, found)
    })
}

/// Returns whether a value of a record is another one than that of its media.
fn contradicts(said: &Json, found: &Json) -> bool {
    match (said, found) {
        (Json::Null, _) => false,
        (Json::Array(said), Json::Array(found)) => {
            said.len() != found.len() || said.iter().zip(found).any(|(said, found)| contradicts(said, found))
        }
        (Json::Object(_), Json::Object(found)) => found.iter().any(|(name, found)| {
            let is_unknown = name == OF_TAGS_OF_TRACK && found.is_null();
            !is_unknown && contradicts(&said[name], found)
        }),
        (Json::Number(said), Json::Number(found)) => said != found && said.as_f64() != found.as_f64(),
        (said, found) => said != found,
    }
}

#[cfg(test)]
#[path = "described_tests.rs"]
mod tests;
