//! Prints a record for people or programs, or saves a fragment as a file.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};
use serde_json::{Value as Json, json};

use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::time_text::time_text;
use crate::readback::{Decoded, Fragment, Kind};

/// The number of table rows between two headers.
const HEAD_EVERY: u64 = 40;

/// The maximum number of characters of a name, and of a message, in a line.
const NAME_CHARS_MAX: usize = 256;
const TEXT_CHARS_MAX: usize = 4_000;

/// Where a record is in Kafka.
pub(super) struct Place {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: Option<i64>,
}

impl Place {
    pub(super) fn of(message: &BorrowedMessage<'_>) -> Self {
        let timestamp_ms = message.timestamp().to_millis();
        Self { partition: message.partition(), offset: message.offset(), timestamp_ms }
    }
}

/// What the headers of a dead letter say.
pub(super) struct DeadLetter {
    connector: String,
    pub(super) stream: String,
    number: String,
    stage: String,
    reason: String,
    size_bytes: usize,
}

impl DeadLetter {
    /// Returns what a record's headers say, if it is a dead letter.
    pub(super) fn of(message: &BorrowedMessage<'_>) -> Option<Self> {
        let headers = message.headers()?;
        let text = |name: &str| {
            let header = headers.iter().find(|header| header.key == name)?;
            Some(String::from_utf8_lossy(header.value?).into_owned())
        };
        Some(Self {
            stage: text("__connect.errors.stage")?,
            reason: text("__connect.errors.exception.message")?,
            connector: text("__connect.errors.connector.name").unwrap_or_default(),
            stream: text("kvs.stream")?,
            number: text("kvs.fragment.number").unwrap_or_default(),
            size_bytes: message.payload().map_or(0, <[u8]>::len),
        })
    }
}

/// Prints records to standard output.
pub(super) struct Printer {
    json: bool,
    /// Whether JSON has the media, too.
    with_media: bool,
    rows: u64,
    began: std::time::Instant,
    bytes: u64,
}

impl Printer {
    pub(super) fn new(json: bool, with_media: bool) -> Self {
        Self { json, with_media, rows: 0, began: std::time::Instant::now(), bytes: 0 }
    }

    /// Prints a record: as JSON, or as a line; the lines of fragments are a table.
    pub(super) fn print(&mut self, decoded: Decoded, from: &Place) -> Result<(), Failure> {
        let Decoded { kind, mut fields, data } = decoded;
        if self.json {
            if self.with_media {
                match &kind {
                    Kind::Fragment(fragment) => fields["payload"] = base64(fragment.payload.as_deref()),
                    Kind::Frame => fields["data"] = base64(data.as_deref()),
                    Kind::Notification => {}
                }
            }
            fields["partition"] = from.partition.into();
            fields["offset"] = from.offset.into();
            fields["record_timestamp_ms"] = from.timestamp_ms.into();
            return output::print(fields);
        }
        let line = match kind {
            Kind::Fragment(fragment) => self.row(&fragment, from.timestamp_ms),
            Kind::Frame => frame_line(&fields),
            Kind::Notification => notification_line(&fields),
        };
        self.rows += 1;
        output::print(line)
    }

    /// Prints a dead letter, of which its headers say what it is.
    pub(super) fn print_dead_letter(&self, letter: &DeadLetter, from: &Place) -> Result<(), Failure> {
        let DeadLetter { connector, stream, number, stage, reason, size_bytes } = letter;
        if self.json {
            return output::print(json!({
                "connector": connector, "stream_name": stream, "fragment_number": number, "stage": stage, "reason": reason,
                "value_size_bytes": size_bytes, "partition": from.partition, "offset": from.offset,
                "record_timestamp_ms": from.timestamp_ms,
            }));
        }
        let time = from.timestamp_ms.map_or("-".to_owned(), time_text);
        let [connector, stream, number, stage] = [connector, stream, number, stage].map(|text| shown(text));
        let reason = output::plain(reason, TEXT_CHARS_MAX);
        output::print(format_args!(
            "{time}  {connector}  {stream}  {number}  {stage}: {reason} ({size_bytes} bytes kept)"
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
        let stream = output::plain(&fragment.stream.chars().take(20).collect::<String>(), 20);
        let notes = [
            (!fragment.complete, "  incomplete"),
            (fragment.discontinuity == Some(true), "  discontinuity"),
            (fragment.random_access == Some(false), "  no random access"),
        ];
        let notes: String = notes.iter().filter(|(applies, _)| *applies).map(|(_, note)| *note).collect();
        text + &format!(
            "{stream:<20} {:>8} {:<47} {:<24} {:>8.3} {:>6} {:>9.1} {lag:>8} {rate:>9.2}{notes}",
            fragment.sequence.map_or("-".to_owned(), |sequence| sequence.to_string()),
            shown(&fragment.number),
            fragment.producer_ms.map_or("-".to_owned(), time_text),
            fragment.duration_ns as f64 / 1e9,
            fragment.frames,
            fragment.size_bytes as f64 / 1e3,
        )
    }
}

/// Returns media as JSON has them: null where the record has none.
fn base64(media: Option<&[u8]>) -> Json {
    media.map_or(Json::Null, |media| STANDARD.encode(media).into())
}

/// Returns the text of a record in a form that is safe for a terminal.
fn shown(text: &str) -> String {
    output::plain(text, NAME_CHARS_MAX)
}

fn notification_line(fields: &Json) -> String {
    let text = |name: &str| shown(fields[name].as_str().unwrap_or("-"));
    let time = fields["time"].as_i64().map_or("-".to_owned(), time_text);
    let message = output::plain(fields["message"].as_str().unwrap_or("-"), TEXT_CHARS_MAX);
    format!("{time}  {}  {}  {}: {message}", text("kind"), text("connector"), text("stream_name"))
}

fn frame_line(fields: &Json) -> String {
    let text = |name: &str| shown(fields[name].as_str().unwrap_or("-"));
    let long = |name: &str| fields[name].as_i64().unwrap_or_default();
    let time = fields["utc"].as_i64().map_or("-".to_owned(), |micros| time_text(micros / 1_000));
    let key = if fields["key"] == true { "  key" } else { "" };
    let discontinuity = if fields["discontinuity"] == true { "  discontinuity" } else { "" };
    format!(
        "{time}  {}  {}#{}  track {}  {} {}  {} bytes{key}{discontinuity}",
        text("stream_name"),
        long("sequence"),
        long("frame_index"),
        long("track"),
        text("codec"),
        text("format"),
        long("size_bytes"),
    )
}

/// Returns a record's age by its timestamp, which may be any number, because the writer of a record chooses it.
pub(super) fn lag_ms(now_ms: i64, timestamp_ms: i64) -> i64 {
    now_ms.saturating_sub(timestamp_ms).max(0)
}

pub(super) fn now_ms() -> i64 {
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
    if let Some(place) = fragment.elsewhere() {
        return Err(SaveError::Elsewhere { number: number(), place });
    }
    let Some(payload) = &fragment.payload else { return Err(SaveError::NoMedia { number: number() }) };
    std::fs::write(&file, payload).map_err(|source| SaveError::Write { file, source })
}

#[cfg(test)]
#[path = "show_tests.rs"]
mod tests;
