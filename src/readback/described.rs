//! Whether a record says of its media what they are.

use kvs_mkv::{Fragment, Timestamp};
use serde_json::{Value as Json, json};

/// Returns the first field of a fragment's record that is not what its media say: their number, times, frames or tracks. Fields that
/// an earlier version did not write, and what a payload without tags does not know, are not compared.
pub fn misdescribed(fields: &Json, media: &Fragment) -> Option<&'static str> {
    let millis = |time: Option<Timestamp>| time.map(|time| json!(time.millis()));
    let expected = [
        ("fragment_number", Some(json!(media.number.as_str()))),
        ("server_timestamp", millis(media.server_timestamp)),
        ("producer_timestamp", millis(media.producer_timestamp)),
        ("random_access", Some(json!(media.is_random_access()))),
        ("start_ns", media.start_ns().map(|start_ns| json!(start_ns))),
        ("size_bytes", Some(json!(media.payload.len()))),
    ];
    let differs = |(name, expected): &(&'static str, Option<Json>)| {
        expected.as_ref().is_some_and(|expected| !fields[name].is_null() && fields[name] != *expected)
    };
    if let Some((name, _)) = expected.iter().find(|field| differs(field)) {
        return Some(name);
    }
    if !agrees(&fields["frames"], &media.frames, |said, frame| {
        said["track"] == json!(frame.track)
            && said["timestamp_ns"] == json!(frame.timestamp_ns)
            && said["key"] == json!(frame.key)
            && said["offset"] == json!(frame.offset)
            && said["size_bytes"] == json!(frame.size_bytes)
    }) {
        return Some("frames");
    }
    let tracks: Vec<_> = media.tracks.iter().collect();
    let is_track = |said: &Json, track: &&kvs_mkv::Track| said["number"] == json!(track.number);
    (!agrees(&fields["tracks"], &tracks, is_track)).then_some("tracks")
}

/// Returns whether a list of a record has an entry for each of these, in order.
fn agrees<T>(said: &Json, found: &[T], agrees: impl Fn(&Json, &T) -> bool) -> bool {
    let Some(said) = said.as_array() else { return true };
    said.len() == found.len() && said.iter().zip(found).all(|(said, found)| agrees(said, found))
}

#[cfg(test)]
#[path = "described_tests.rs"]
mod tests;
