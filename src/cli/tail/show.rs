//! Prints a fragment for people or programs, or saves it as a file.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::decode::Fragment;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::time_text::time_text;

/// The number of table rows between two headers.
const HEAD_EVERY: u64 = 40;

/// Prints fragments to standard output.
pub(super) struct Printer {
    json: bool,
    rows: u64,
    began: std::time::Instant,
    bytes: u64,
}

impl Printer {
    pub(super) fn new(json: bool) -> Self {
        Self { json, rows: 0, began: std::time::Instant::now(), bytes: 0 }
    }

    pub(super) fn print(
        &mut self,
        fragment: &Fragment,
        partition: i32,
        offset: i64,
        timestamp_ms: Option<i64>,
    ) -> Result<(), Failure> {
        let text = if self.json {
            json_line(fragment, partition, offset, timestamp_ms)
        } else {
            self.row(fragment, timestamp_ms)
        };
        self.rows += 1;
        output::print(text)
    }

    /// Prints a notification: as JSON, or as a line instead of a table.
    pub(super) fn print_notification(
        &self,
        fields: &serde_json::Value,
        partition: i32,
        offset: i64,
    ) -> Result<(), Failure> {
        if self.json {
            let mut fields = fields.clone();
            fields["partition"] = partition.into();
            fields["offset"] = offset.into();
            return output::print(fields);
        }
        let text = |name: &str| fields[name].as_str().unwrap_or("-").to_owned();
        let time = fields["time"].as_i64().map_or("-".to_owned(), time_text);
        let (kind, connector, stream) = (text("kind"), text("connector"), text("stream_name"));
        output::print(format_args!("{time}  {kind}  {connector}  {stream}: {}", text("message")))
    }

    /// Prints a frame: as JSON with all fields but the data, or as a line instead of a table.
    pub(super) fn print_frame(
        &self,
        fields: &serde_json::Value,
        size_bytes: u64,
        partition: i32,
        offset: i64,
    ) -> Result<(), Failure> {
        if self.json {
            let mut fields = fields.clone();
            if let Some(members) = fields.as_object_mut() {
                members.remove("data");
            }
            for (name, value) in
                [("size_bytes", json!(size_bytes)), ("partition", json!(partition)), ("offset", json!(offset))]
            {
                fields[name] = value;
            }
            return output::print(fields);
        }
        let text = |name: &str| fields[name].as_str().unwrap_or("-").to_owned();
        let long = |name: &str| fields[name].as_i64();
        let time = long("utc").map_or("-".to_owned(), |micros| time_text(micros / 1_000));
        let key = if fields["key"] == true { "  key" } else { "" };
        let discontinuity = if fields["discontinuity"] == true { "  discontinuity" } else { "" };
        output::print(format_args!(
            "{time}  {}  {}#{}  track {}  {} {}  {size_bytes} bytes{key}{discontinuity}",
            text("stream_name"),
            long("sequence").unwrap_or_default(),
            long("frame_index").unwrap_or_default(),
            long("track").unwrap_or_default(),
            text("codec"),
            text("format"),
        ))
    }

    fn row(&mut self, fragment: &Fragment, timestamp_ms: Option<i64>) -> String {
        self.bytes += fragment.size_bytes;
        let mut text = String::new();
        if self.rows.is_multiple_of(HEAD_EVERY) {
            text = format!(
                "{:<20} {:>8} {:<47} {:<24} {:>8} {:>6} {:>9} {:>8} {:>9}\n",
                "STREAM", "SEQUENCE", "FRAGMENT", "PRODUCER TIME", "SECONDS", "FRAMES", "KB", "LAG MS", "MB/S"
            );
        }
        let lag = timestamp_ms.map_or("-".to_owned(), |millis| lag_ms(now_ms(), millis).to_string());
        let rate = self.bytes as f64 / 1e6 / self.began.elapsed().as_secs_f64().max(0.001);
        let stream: String = fragment.stream.chars().take(20).collect();
        let notes = [
            (!fragment.complete, "  incomplete"),
            (fragment.discontinuity == Some(true), "  discontinuity"),
            (fragment.random_access == Some(false), "  no random access"),
        ];
        let notes: String = notes.iter().filter(|(applies, _)| *applies).map(|(_, note)| *note).collect();
        text + &format!(
            "{stream:<20} {:>8} {:<47} {:<24} {:>8.3} {:>6} {:>9.1} {lag:>8} {rate:>9.2}{notes}",
            fragment.sequence.map_or("-".to_owned(), |sequence| sequence.to_string()),
            fragment.number,
            fragment.producer_ms.map_or("-".to_owned(), time_text),
            fragment.duration_ns as f64 / 1e9,
            fragment.frames,
            fragment.size_bytes as f64 / 1e3,
        )
    }
}

fn json_line(fragment: &Fragment, partition: i32, offset: i64, timestamp_ms: Option<i64>) -> String {
    let tags: serde_json::Map<String, serde_json::Value> =
        fragment.tags.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    json!({
        "stream": fragment.stream,
        "stream_arn": fragment.arn,
        "sequence": fragment.sequence,
        "fragment_number": fragment.number,
        "server_timestamp_ms": fragment.server_ms,
        "producer_timestamp_ms": fragment.producer_ms,
        "millis_behind_now": fragment.millis_behind_now,
        "complete": fragment.complete,
        "random_access": fragment.random_access,
        "discontinuity": fragment.discontinuity,
        "first_frame_utc_us": fragment.first_frame_us,
        "last_frame_utc_us": fragment.last_frame_us,
        "duration_ns": fragment.duration_ns,
        "frames": fragment.frames,
        "key_frames": fragment.key_frames,
        "codecs": fragment.codecs,
        "tags": tags,
        "content_type": fragment.content_type,
        "size_bytes": fragment.size_bytes,
        "partition": partition,
        "offset": offset,
        "record_timestamp_ms": timestamp_ms,
    })
    .to_string()
}

/// Returns a record's age by its timestamp, which may be any number, because the writer of a record chooses it.
fn lag_ms(now_ms: i64, timestamp_ms: i64) -> i64 {
    now_ms.saturating_sub(timestamp_ms).max(0)
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64)
}

/// Reasons why a fragment cannot be saved.
#[derive(Debug, thiserror::Error)]
pub(super) enum SaveError {
    /// A record's content must not decide where a file is written.
    #[error("stream {stream:?}, fragment {number:?}: not usable as a file name")]
    FileName { stream: String, number: String },
    /// The record has no media.
    #[error("fragment {number}: the record is its metadata; its media is in the topic of the fragments")]
    NoMedia { number: String },
    /// The media is elsewhere.
    #[error("fragment {number}: its media is not in the record but here: {place}")]
    Elsewhere { number: String, place: String },
    /// The file cannot be written.
    #[error("{}: {source}", file.display())]
    Write { file: PathBuf, source: std::io::Error },
}

/// Writes a fragment's payload to its own file.
pub(super) fn save(folder: &Path, fragment: &Fragment) -> Result<(), SaveError> {
    let harmless = |text: &str| {
        !text.is_empty()
            && text.len() <= 256
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    };
    if !harmless(&fragment.stream) || !harmless(&fragment.number) {
        return Err(SaveError::FileName { stream: fragment.stream.clone(), number: fragment.number.clone() });
    }
    // A name may have 255 bytes; a number has up to 128.
    let stream: String = fragment.stream.chars().take(120).collect();
    let file = folder.join(format!("{stream}-{}.mkv", fragment.number));
    let number = || fragment.number.clone();
    if let Some(place) = &fragment.elsewhere {
        return Err(SaveError::Elsewhere { number: number(), place: place.clone() });
    }
    let Some(payload) = &fragment.payload else { return Err(SaveError::NoMedia { number: number() }) };
    std::fs::write(&file, payload).map_err(|source| SaveError::Write { file, source })
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
