//! `kvs-connect verify`: what the service's archive has, against what Kafka has.

mod archive;
mod ends;
mod report;
mod said;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::Args;
use kvs_client::{ArchiveRange, Client, FragmentNumber, MemoryBudget, StreamRef, Timestamp};
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use super::brokers;
use super::connector_args::ConnectorArgs;
use super::failure::{EXIT_CONFIG, EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use super::interrupt;
use super::output;
use super::service;
use super::topic_reader::TopicReader;
use crate::audit::{MediaDigest, Place, Published, Reasons, StreamAudit, StreamReport};
use crate::config::connector::{StreamsConfig, parse_moment};
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::readback::{Decoder, Fragment, Kind, PayloadError, Payloads, header_text, misdescribed, read_fragment};
use archive::{Cursor, CursorError};
use ends::Ends;
use topics::Compaction;

/// Faults were found.
const EXIT_FAULTS: u8 = 1;
/// The memory for media that are compared, in bytes, for all streams together.
const BUDGET_BYTES: usize = 256 << 20;

/// Compares the archive of the service with the topics.
#[derive(Args)]
#[command(after_help = "\
Says for each stream what the archive (ListFragments) has and Kafka does not, what Kafka has twice, out of order or \
altered, and which sequences no record has, with the reason where the connector has said it: in a notification or a dead \
letter. Exits with 0 if there is no fault and with 1 if there is one. No faults are: fragments before the first record \
(BEFORE) and after the last one (NOT YET), and records whose fragments the archive no longer has (ONLY KAFKA).
With metadata.topic only the metadata are read, unless --deep compares all media, byte by byte: it fetches each fragment from \
the archive once more. The service's limits on calls are kept.
  kvs-connect verify --worker worker.toml --connector cameras
  kvs-connect verify --worker worker.toml --file cameras.json \\
    --from 2026-11-28T00:00:00Z --to 2026-11-28T06:00:00Z --deep --json")]
pub(super) struct Verify {
    #[command(flatten)]
    connector: ConnectorArgs,
    /// Only this stream. May be repeated.
    #[arg(long = "stream", value_name = "STREAM")]
    streams: Vec<String>,
    /// Only what the service received from this time on: RFC 3339, or seconds or milliseconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    from: Option<Timestamp>,
    /// Only what the service received up to this time.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    to: Option<Timestamp>,
    /// Also compare the media of each record with those of the archive.
    #[arg(long)]
    deep: bool,
    /// Exit with 0 if there is a reason for everything that is missing, twice, or a hole.
    #[arg(long)]
    allow_explained: bool,
}

/// One stream that is compared.
struct Stream {
    audit: StreamAudit,
    archive: Cursor,
    source: StreamRef,
    /// The time from which on the archive is read.
    from: Timestamp,
}

/// What all streams share.
struct Comparison<'a> {
    options: &'a Verify,
    connector: ConnectorConfig,
    client: Arc<Client>,
    budget: MemoryBudget,
    /// The end of the range.
    to: Timestamp,
    /// All that are compared, with records or without, as far as they are known.
    names: BTreeSet<String>,
    /// Those that have records.
    streams: BTreeMap<String, Stream>,
    /// Those of which the topic has a record from before the range.
    begun: BTreeSet<String>,
    /// Those whose archive cannot be read. The others are compared all the same.
    failed: BTreeMap<String, Failure>,
    runtime: tokio::runtime::Runtime,
    reasons: Reasons,
    topics: Vec<String>,
    compaction: Compaction,
}

impl Verify {
    pub(super) fn execute(self) -> Result<(), Failure> {
        interrupt::listen("nothing was compared to the end", || interrupt::Told::Ends);
        let worker = self.connector.load_worker()?;
        let connector = self.connector.load(&worker)?;
        if connector.topic.has_track() {
            let line = "topic has ${track}: each fragment has several records, which cannot be compared one by one";
            return Err(Failure::new(EXIT_CONFIG, line));
        }
        let now = Timestamp::from_system_time(std::time::SystemTime::now());
        let to = self.to.map_or(now, |to| to.min(now));
        if self.from.is_some_and(|from| from > to) {
            return Err(Failure::new(EXIT_USAGE, "--from is later than --to, or than now"));
        }
        let runtime = service::runtime()?;
        let client = service::client(&runtime, &connector)?;
        let existing = topics::existing(&worker)?;
        let topics = topics::of(&connector, &existing, self.deep)?;
        if connector.metadata_topic.is_some() && !self.deep {
            output::say(format_args!(
                "kvs-connect: reading {}, which has a record for each fragment; --deep reads the fragments themselves",
                topics.join(", ")
            ));
        }
        let reasons = said::read(&worker, &connector, &existing)?;
        // Before the records: all that these positions are about are then among them.
        let ends = Ends::read(&worker, &connector, &topics);
        let budget = MemoryBudget::new(BUDGET_BYTES);
        let (names, streams, begun, failed) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let compaction = Compaction::new(&worker, &topics);
        let mut comparison = Comparison {
            options: &self,
            connector,
            client,
            budget,
            to,
            names,
            streams,
            begun,
            failed,
            runtime,
            reasons,
            topics,
            compaction,
        };
        comparison.find_streams()?;
        comparison.read_topics(&worker)?;
        let name = comparison.connector.name.clone();
        let (reports, failed) = comparison.finish(&ends)?;
        let printed = if reports.is_empty() { Ok(()) } else { self.print(&name, reports) };
        // Without all streams the comparison is not what was asked for, whatever it found in the others.
        let lines: Vec<String> = failed.into_iter().flat_map(|failure| failure.lines).collect();
        if lines.is_empty() { printed } else { Err(Failure { code: EXIT_UNAVAILABLE, lines }) }
    }

    fn print(&self, connector: &str, reports: Vec<(String, StreamReport)>) -> Result<(), Failure> {
        let is_cut = |report: &StreamReport| report.first_sequence.is_some_and(|first| first > 0);
        let cut = reports.iter().filter(|(_, report)| is_cut(report)).count();
        if self.from.is_none() && cut > 0 {
            output::say(format_args!(
                "kvs-connect: {cut} of {} streams have lost their first records, to retention or because somebody deleted them; the \
                 fragments before are not compared (--from counts them)",
                reports.len()
            ));
        }
        let faults: u64 =
            reports.iter().map(|(_, report)| report.counts.faults(self.allow_explained)).fold(0, u64::saturating_add);
        match self.print_reports(connector, &reports, faults) {
            // Nobody reads any more, and whoever asks for the exit code still wants to know.
            Ok(()) | Err(Failure { code: 0, .. }) if faults > 0 => {
                Err(Failure { code: EXIT_FAULTS, lines: Vec::new() })
            }
            printed => printed,
        }
    }

    fn print_reports(&self, connector: &str, reports: &[(String, StreamReport)], faults: u64) -> Result<(), Failure> {
        if self.connector.json() {
            return reports.iter().try_for_each(|(stream, report)| {
                output::print(report::json(connector, stream, report, report.counts.faults(self.allow_explained)))
            });
        }
        report::table(reports, self.deep)?;
        let records: u64 = reports.iter().map(|(_, report)| report.counts.records).sum();
        let compared = if self.deep { ", media compared" } else { "" };
        let count = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let (streams, records) = (count(reports.len() as u64, "stream"), count(records, "record"));
        output::print(format_args!("{streams}, {records}{compared}: {}", count(faults, "fault")))
    }
}

impl Comparison<'_> {
    /// Finds the streams that are compared: those that the settings list or that the service has for them.
    fn find_streams(&mut self) -> Result<(), Failure> {
        let names: Vec<String> = match &self.connector.streams {
            StreamsConfig::Listed(streams) => streams.iter().map(|stream| stream.name().to_owned()).collect(),
            StreamsConfig::Discovered(discovery) => {
                let listed = self.runtime.block_on(self.client.list_streams(discovery.prefix.as_deref()));
                let listed = listed.map_err(|error| service::unavailable(&error))?;
                // Tags change; of streams with tags, those that have records are compared.
                let all = listed.into_iter().map(|info| info.name).filter(|name| discovery.names(name));
                if discovery.tags.is_empty() { all.collect() } else { Vec::new() }
            }
        };
        let wanted = &self.options.streams;
        self.names = names.into_iter().filter(|name| wanted.is_empty() || wanted.contains(name)).collect();
        if let Some(unknown) = wanted.iter().find(|name| !self.takes(name)) {
            return Err(Failure::new(EXIT_USAGE, format!("--stream {unknown}: the connector has no such stream")));
        }
        Ok(())
    }

    /// Returns whether a record's stream is compared.
    fn takes(&self, name: &str) -> bool {
        let is_wanted = self.options.streams.is_empty() || self.options.streams.iter().any(|wanted| wanted == name);
        is_wanted
            && match &self.connector.streams {
                StreamsConfig::Listed(_) => self.names.contains(name),
                StreamsConfig::Discovered(discovery) => discovery.names(name),
            }
    }

    fn read_topics(&mut self, worker: &WorkerConfig) -> Result<(), Failure> {
        let decoder = Decoder::new().map_err(|error| Failure::new(EXIT_UNAVAILABLE, error))?;
        let payloads = self.payloads(worker)?;
        let from = self.options.from.filter(|_| self.connector.timestamps_follow_service());
        let mut reader = TopicReader::open(worker, &self.topics, from)?;
        let mut foreign = 0_u64;
        loop {
            let Some((topic, message)) = reader.next()? else { break };
            let place = Place { topic, partition: message.partition(), offset: message.offset() };
            let read = match decoder.decode(message.payload().unwrap_or_default()) {
                Ok(decoded) => match decoded.kind {
                    Kind::Fragment(fragment) => Some((*fragment, decoded.fields, message.timestamp().to_millis())),
                    _ => None,
                },
                Err(_) => by_headers(&message).map(|fragment| (fragment, serde_json::Value::Null, None)),
            };
            let Some((mut fragment, fields, timestamp_ms)) = read else {
                foreign += 1;
                continue;
            };
            let Ok(number) = fragment.number.parse::<FragmentNumber>() else {
                foreign += 1;
                continue;
            };
            if !self.takes(&fragment.stream) {
                continue;
            }
            if !self.is_in_range(fragment.server_ms) {
                let is_before = self.options.from.zip(fragment.server_ms).is_some_and(|(from, at)| at < from.millis());
                if is_before && !self.begun.contains(&fragment.stream) {
                    self.begun.insert(fragment.stream);
                }
                continue;
            }
            let mut published = Published {
                number,
                sequence: fragment.sequence,
                server_ms: fragment.server_ms,
                place,
                media: None,
                some_tracks: !self.connector.routing.publishes_all(),
                fault: None,
            };
            if self.options.deep && fragment.complete {
                self.add_media(&mut published, &mut fragment, &fields, timestamp_ms, &payloads);
            }
            self.record(&fragment.stream, published)?;
            let names = &self.names;
            reader.say_progress(|| format!(", {} streams", names.len()));
        }
        if foreign > 0 {
            output::say(format_args!(
                "kvs-connect: {foreign} records of {} are no fragments and were left out",
                self.topics.join(", ")
            ));
        }
        Ok(())
    }

    fn is_in_range(&self, server_ms: Option<i64>) -> bool {
        let Some(server_ms) = server_ms else { return true };
        server_ms <= self.to.millis() && self.options.from.is_none_or(|from| server_ms >= from.millis())
    }

    fn add_media(
        &self,
        published: &mut Published,
        fragment: &mut Fragment,
        fields: &serde_json::Value,
        timestamp_ms: Option<i64>,
        payloads: &Payloads,
    ) {
        match payloads.of(fragment, timestamp_ms) {
            Ok(media) => match read_fragment(&media) {
                Some(media) => {
                    published.media = Some(MediaDigest::of(&media));
                    published.fault = misdescribed(fields, &media)
                        .map(|field| format!("the field {field} of its record is not what its media say"));
                }
                None => published.fault = Some("its media are no fragment".to_owned()),
            },
            // There is nothing to compare.
            Err(PayloadError::None | PayloadError::Metadata) => {}
            Err(error) => published.fault = Some(error.to_string()),
        }
    }

    /// Compares a record with its stream's archive.
    fn record(&mut self, name: &str, published: Published) -> Result<(), Failure> {
        if self.failed.contains_key(name) {
            return Ok(());
        }
        let (name, mut stream) = match self.streams.remove_entry(name) {
            Some(known) => known,
            None => {
                self.names.insert(name.to_owned());
                (name.to_owned(), self.stream(name, published.server_ms.map(Timestamp::from_millis))?)
            }
        };
        if let Err(error) = self.reach_back(&mut stream, published.server_ms) {
            self.failed.insert(name.clone(), unreadable(&name, &error));
            return Ok(());
        }
        let Stream { audit, archive, .. } = &mut stream;
        let pass = archive
            .pass_to(&published.number, published.server_ms, |listed| audit.listed(listed, Some(&published.number)));
        if let Err(error) = self.runtime.block_on(pass) {
            self.failed.insert(name.clone(), unreadable(&name, &error));
            return Ok(());
        }
        let compared = audit.record(&published);
        compared.map_err(|error| Failure::new(EXIT_UNAVAILABLE, format!("stream {name}: {error}")))?;
        self.streams.insert(name, stream);
        Ok(())
    }

    /// Reads what the archive has before that which has been read of it, if this is the time of a record from there: of a stream with
    /// several partitions, the record that is read first is not always the first one.
    fn reach_back(&self, stream: &mut Stream, server_ms: Option<i64>) -> Result<(), CursorError> {
        let Some(from) = server_ms.map(Timestamp::from_millis).filter(|from| *from < stream.from) else {
            return Ok(());
        };
        let to = Timestamp::from_millis(stream.from.millis().saturating_sub(1));
        let mut earlier = self.cursor(&stream.source, ArchiveRange { from, to });
        stream.from = from;
        self.runtime.block_on(earlier.pass_all(|listed| stream.audit.listed_before(listed)))
    }

    fn cursor(&self, stream: &StreamRef, range: ArchiveRange) -> Cursor {
        let media = self.options.deep.then_some(&self.budget);
        Cursor::new(&self.client, stream, range, media, self.runtime.handle())
    }

    /// Begins to list a stream's archive: at `--from`, or at the first record's time.
    fn stream(&self, name: &str, first: Option<Timestamp>) -> Result<Stream, Failure> {
        let listed = match &self.connector.streams {
            StreamsConfig::Listed(streams) => streams.iter().find(|stream| stream.name() == name).cloned(),
            StreamsConfig::Discovered(_) => None,
        };
        let source: StreamRef = match listed {
            Some(stream) => stream,
            None => name.parse().map_err(|error| Failure::new(EXIT_UNAVAILABLE, error))?,
        };
        // What the connector has said of fragments before the first record is to be known of them.
        let said = self.reasons.earliest_ms(name).map(Timestamp::from_millis);
        let first = first.map(|first| said.map_or(first, |said| said.min(first)));
        let from = self.options.from.or(first).unwrap_or(Timestamp::from_millis(0));
        let archive = self.cursor(&source, ArchiveRange { from, to: self.to });
        let mut audit = StreamAudit::default();
        audit.set_said(self.reasons.fragments(name));
        Ok(Stream { audit, archive, source, from })
    }

    /// Reads the rest of all archives.
    fn finish(mut self, ends: &Ends) -> Result<Reports, Failure> {
        // All are listed at the same time, those without records, too.
        for name in std::mem::take(&mut self.names) {
            if !self.streams.contains_key(&name) && !self.failed.contains_key(&name) {
                let stream = self.stream(&name, None)?;
                self.streams.insert(name, stream);
            }
        }
        let mut reports = Vec::new();
        for (name, Stream { mut audit, mut archive, .. }) in std::mem::take(&mut self.streams) {
            if self.begun.contains(&name) {
                audit.set_begun();
            }
            ends.note(&name, &mut audit);
            let rest = archive.pass_all(|listed| audit.listed(listed, None));
            match self.runtime.block_on(rest) {
                Ok(()) => {
                    if audit.has_holes() && self.compaction.is_compacted(&self.runtime) {
                        audit.set_compacted();
                    }
                    reports.push((name.clone(), audit.finish(&name, &self.reasons)));
                }
                Err(error) => _ = self.failed.insert(name.clone(), unreadable(&name, &error)),
            }
        }
        Ok((reports, self.failed.into_values().collect()))
    }

    fn payloads(&self, worker: &WorkerConfig) -> Result<Payloads, Failure> {
        let store = service::store(&self.connector, &self.client).map_err(|error| Failure::new(EXIT_CONFIG, error))?;
        Ok(Payloads::new(store, brokers::connect(worker)?, self.runtime.handle().clone()))
    }
}

/// What was found, and the streams whose archive cannot be read.
type Reports = (Vec<(String, StreamReport)>, Vec<Failure>);

fn unreadable(stream: &str, error: &CursorError) -> Failure {
    Failure::new(EXIT_UNAVAILABLE, format!("the archive of stream {stream}: {error}"))
}

/// Returns what the headers of a record say whose value is an object's URI (`payload.reference.format=bakdata`).
fn by_headers(message: &BorrowedMessage<'_>) -> Option<Fragment> {
    header_text(message, "__large.message.backed.value")?;
    Some(Fragment {
        sequence: header_text(message, "kvs.sequence").and_then(|sequence| sequence.parse().ok()),
        stream: header_text(message, "kvs.stream")?.to_owned(),
        number: header_text(message, "kvs.fragment.number")?.to_owned(),
        // Its media are not compared: they are in the object, with the rest of the value.
        complete: false,
        ..Fragment::default()
    })
}
