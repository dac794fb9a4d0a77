//! A line for each stream of a topic, renewed every second: how much arrives, and how late.

use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::show::{Place, lag_ms, now_ms};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::remote::print_table;
use crate::cli::time_text::time_text;
use crate::readback::{Decoded, Kind};

/// How often the lines are renewed on a terminal, and elsewhere.
const RENEWED_EVERY: Duration = Duration::from_secs(1);
const PRINTED_EVERY: Duration = Duration::from_secs(10);
/// Rates are those of this time, in seconds.
const RATE_SECONDS: usize = 10;
/// The most streams that are shown; the others are counted together.
const STREAMS_MAX: usize = 1_000;
/// The line of all streams beyond that.
const OTHERS: &str = "(others)";
/// Moves to the top left corner and clears the screen.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// What has been seen of each stream.
pub(super) struct Stats {
    streams: BTreeMap<String, Stream>,
    began: Instant,
    shown: Instant,
    is_terminal: bool,
}

#[derive(Default)]
struct Stream {
    records: u64,
    /// The highest one.
    last_sequence: Option<i64>,
    /// The last one of each partition.
    of_partitions: HashMap<i32, i64>,
    last_producer_ms: Option<i64>,
    last_record_ms: Option<i64>,
    missing: u64,
    discontinuities: u64,
    /// Records and bytes of each of the last seconds, by the second modulo their number.
    seconds: [(u64, u64, u64); RATE_SECONDS],
}

impl Stats {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { streams: BTreeMap::new(), began: now, shown: now, is_terminal: std::io::stdout().is_terminal() }
    }

    /// Counts a record.
    pub(super) fn add(&mut self, decoded: &Decoded, place: &Place) {
        let fields = &decoded.fields;
        let name = fields["stream_name"].as_str().unwrap_or("-");
        let name = if self.streams.len() < STREAMS_MAX || self.streams.contains_key(name) { name } else { OTHERS };
        let second = self.began.elapsed().as_secs();
        let stream = self.streams.entry(name.to_owned()).or_default();
        let size_bytes = fields["size_bytes"].as_u64().unwrap_or(0);
        stream.records += 1;
        stream.last_record_ms = place.timestamp_ms;
        let slot = &mut stream.seconds[usize::try_from(second).unwrap_or(0) % RATE_SECONDS];
        if slot.0 != second {
            *slot = (second, 0, 0);
        }
        (slot.1, slot.2) = (slot.1 + 1, slot.2 + size_bytes);
        stream.discontinuities += u64::from(fields["discontinuity"] == true);
        if let Kind::Fragment(fragment) = &decoded.kind {
            stream.last_producer_ms = fragment.producer_ms;
        } else if let Some(micros) = fields["utc"].as_i64() {
            stream.last_producer_ms = Some(micros / 1_000);
        }
        // Several records of frames have one sequence.
        if let Some(sequence) = fields["sequence"].as_i64() {
            stream.note_sequence(sequence, place.partition, name != OTHERS);
        }
    }

    /// Counts a dead letter.
    pub(super) fn add_dead_letter(&mut self, stream: &str, place: &Place) {
        let fields = serde_json::json!({ "stream_name": stream });
        self.add(&Decoded { kind: Kind::Notification, fields, data: None }, place);
    }

    /// Shows the lines if it is time to.
    pub(super) fn show_if_due(&mut self) -> Result<(), Failure> {
        let every = if self.is_terminal { RENEWED_EVERY } else { PRINTED_EVERY };
        if self.shown.elapsed() < every { Ok(()) } else { self.show() }
    }

    /// Shows the lines.
    pub(super) fn show(&mut self) -> Result<(), Failure> {
        self.shown = Instant::now();
        let now = self.began.elapsed().as_secs();
        if self.is_terminal {
            output::print(CLEAR)?;
        }
        let titles =
            ["STREAM", "RECORDS", "PER S", "MB/S", "SEQUENCE", "PRODUCER TIME", "LAG MS", "MISSING", "DISCONTINUITIES"];
        let rows = self.streams.iter().map(|(name, stream)| {
            let (records, bytes, seconds) = stream.rates(now);
            let text = |number: Option<i64>| number.map_or("-".to_owned(), |number| number.to_string());
            vec![
                name.clone(),
                stream.records.to_string(),
                format!("{:.1}", records as f64 / seconds),
                format!("{:.2}", bytes as f64 / 1e6 / seconds),
                text(stream.last_sequence),
                stream.last_producer_ms.map_or("-".to_owned(), time_text),
                text(stream.last_record_ms.map(|at| lag_ms(now_ms(), at))),
                stream.missing.to_string(),
                stream.discontinuities.to_string(),
            ]
        });
        print_table(&titles, &rows.collect::<Vec<_>>())
    }
}

impl Stream {
    /// Notes a sequence. Those between it and the highest before are missing, until they come from another partition.
    fn note_sequence(&mut self, sequence: i64, partition: i32, is_one_stream: bool) {
        let of_partition = self.of_partitions.insert(partition, sequence);
        match self.last_sequence.filter(|_| is_one_stream) {
            Some(highest) if sequence <= highest => {
                let comes_late = sequence < highest && of_partition.is_none_or(|last| last < sequence);
                self.missing = self.missing.saturating_sub(u64::from(comes_late));
            }
            Some(highest) => {
                self.missing += u64::try_from(sequence.saturating_sub(highest) - 1).unwrap_or(0);
                self.last_sequence = Some(sequence);
            }
            None => self.last_sequence = Some(sequence),
        }
    }

    /// Returns records and bytes of the last seconds, and how many seconds these are.
    fn rates(&self, now: u64) -> (u64, u64, f64) {
        let length = u64::try_from(RATE_SECONDS).unwrap_or(1);
        let recent = self.seconds.iter().filter(|(second, ..)| second.saturating_add(length) > now);
        let (records, bytes) = recent.fold((0, 0), |(records, bytes), second| (records + second.1, bytes + second.2));
        (records, bytes, (now + 1).min(length) as f64)
    }
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
