//! Where the fragments of an export come from: the topics, or the archive of the service.

use std::sync::Arc;
use std::time::Duration;

use kvs_client::{ArchiveBounds, ArchivePuller, Archived, FragmentNumber, MemoryBudget, StreamRef, Timestamp};
use kvs_mkv::Fragment;
use rdkafka::Message;

use super::instead::Instead;
use crate::cli::brokers;
use crate::cli::failure::{EXIT_UNAVAILABLE, Failure};
use crate::cli::progress::Progress;
use crate::cli::topic_reader::{Next, TopicReader};
use crate::cli::{output, service};
use crate::config::{ConnectorConfig, WorkerConfig};
use crate::readback::{Decoder, Kind, Payloads, header_text, read_fragment};

/// How many records that cannot be read are said.
const UNREADABLE_SAID_MAX: u64 = 20;
/// How long a record is waited for before it is looked what there is to say.
const LOOKED_EVERY: Duration = Duration::from_secs(1);
/// The memory for fragments from the archive, in bytes.
const BUDGET_BYTES: usize = 128 << 20;

/// What is exported. Bounds are inclusive; `None` means no bound.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Wanted {
    /// The stream's name.
    pub(in crate::cli) stream: String,
    /// When the service received the first fragment.
    pub(in crate::cli) from: Option<Timestamp>,
    /// When it received the last one.
    pub(in crate::cli) to: Option<Timestamp>,
    /// The first fragment.
    pub(in crate::cli) first: Option<FragmentNumber>,
    /// The last fragment.
    pub(in crate::cli) last: Option<FragmentNumber>,
}

impl Wanted {
    fn has(&self, number: &FragmentNumber, received: Option<Timestamp>) -> bool {
        self.first.as_ref().is_none_or(|first| number >= first)
            && self.last.as_ref().is_none_or(|last| number <= last)
            && self.from.zip(received).is_none_or(|(from, received)| received >= from)
            && self.to.zip(received).is_none_or(|(to, received)| received <= to)
    }
}

/// A fragment to export.
pub(in crate::cli) struct Exported {
    pub(in crate::cli) fragment: Fragment,
    /// Whether it does not continue the fragment before it.
    pub(in crate::cli) discontinuity: bool,
    /// Counts the stream's records.
    pub(in crate::cli) sequence: Option<i64>,
}

/// Yields fragments in the order of the stream.
pub(in crate::cli) enum Source {
    Topics(Box<Topics>),
    Archive { puller: Box<ArchivePuller>, stream: String, shown: Progress, runtime: tokio::runtime::Runtime },
}

/// The records of a stream.
pub(in crate::cli) struct Topics {
    reader: TopicReader,
    decoder: Decoder,
    payloads: Payloads,
    wanted: Wanted,
    /// The last fragment, and where its record was.
    last: Option<(FragmentNumber, Arc<str>, i32)>,
    instead: Instead,
    unreadable: Unreadable,
    /// Outlives `payloads`, which uses it.
    _runtime: tokio::runtime::Runtime,
}

/// Records that are no fragment. One among many must not keep those from being exported.
struct Unreadable(u64);

impl Unreadable {
    fn note(&mut self, place: &str, error: &dyn std::fmt::Display) {
        self.0 += 1;
        match self.0 {
            ..=UNREADABLE_SAID_MAX => output::say(format_args!("kvs-connect: {place} is left out: {error}")),
            next if next == UNREADABLE_SAID_MAX + 1 => {
                output::say("kvs-connect: further records that cannot be read are left out without a line");
            }
            _ => {}
        }
    }
}

fn unavailable(error: impl ToString) -> Failure {
    Failure::new(EXIT_UNAVAILABLE, error)
}

impl Source {
    /// Reads topics. The connector's settings, if they are given, say how media that are elsewhere are reached.
    pub(in crate::cli) fn topics(
        worker: &WorkerConfig,
        topics: &[String],
        connector: Option<&ConnectorConfig>,
        wanted: Wanted,
    ) -> Result<Self, Failure> {
        let runtime = service::runtime()?;
        let by_time = connector.is_none_or(ConnectorConfig::timestamps_follow_service);
        let reader = TopicReader::open(worker, topics, wanted.from.filter(|_| by_time))?;
        let instead = Instead::default();
        let decoder = Decoder::new().map_err(unavailable)?;
        let store = match connector.filter(|connector| connector.payload.store.is_some()) {
            None => None,
            Some(connector) => {
                let client = service::client(&runtime, connector)?;
                service::store(connector, &client).map_err(unavailable)?
            }
        };
        let payloads = Payloads::new(store, brokers::connect(worker)?, runtime.handle().clone());
        Ok(Self::Topics(Box::new(Topics {
            reader,
            decoder,
            payloads,
            wanted,
            last: None,
            instead,
            unreadable: Unreadable(0),
            _runtime: runtime,
        })))
    }

    /// Reads the archive of the service.
    pub(in crate::cli) fn archive(connector: &ConnectorConfig, wanted: Wanted) -> Result<Self, Failure> {
        let runtime = service::runtime()?;
        let client = service::client(&runtime, connector)?;
        let stream: StreamRef = wanted.stream.parse().map_err(unavailable)?;
        let now = Timestamp::from_system_time(std::time::SystemTime::now());
        let Wanted { from, to, first, last, .. } = wanted;
        let from = from.or(first.is_none().then_some(Timestamp::from_millis(0)));
        // The puller waits until the archive has all of it, which takes some seconds.
        let to = to.map(|to| to.min(now)).or(last.is_none().then_some(now));
        let bounds = ArchiveBounds { from, to, first, last };
        let budget = MemoryBudget::new(BUDGET_BYTES);
        let name = stream.name().to_owned();
        let puller = Box::new(ArchivePuller::new(client, stream, bounds, None, service::puller(), budget));
        Ok(Self::Archive { puller, stream: name, shown: Progress::new(), runtime })
    }

    /// Returns the next fragment; `None` at the end.
    pub(in crate::cli) fn next(&mut self) -> Result<Option<Exported>, Failure> {
        match self {
            Self::Topics(topics) => topics.next(),
            Self::Archive { puller, stream, runtime, .. } => loop {
                match runtime
                    .block_on(service::patiently(stream, puller.next()))
                    .map_err(|error| service::unavailable(&error))?
                {
                    Archived::Fragment(pulled) => {
                        let (fragment, discontinuity) = (pulled.fragment, pulled.discontinuity);
                        return Ok(Some(Exported { fragment, discontinuity, sequence: None }));
                    }
                    Archived::Missing { numbers } => {
                        let numbers: Vec<&str> = numbers.iter().map(FragmentNumber::as_str).take(20).collect();
                        output::say(format_args!("kvs-connect: not in the archive: {}", numbers.join(", ")));
                    }
                    Archived::Retrying { error, delay } if delay >= service::SAID_FROM => {
                        output::say(format_args!("kvs-connect: {error}; again in {} s", delay.as_secs()));
                    }
                    Archived::PassedOver(passed) => {
                        let number = &passed.position.fragment_number;
                        output::say(format_args!(
                            "kvs-connect: fragment {} is left out: {}",
                            number.as_str(),
                            passed.reason
                        ));
                    }
                    Archived::Done => return Ok(None),
                    _ => {}
                }
            },
        }
    }

    /// Returns the source as one that follows the topics and never ends.
    pub(in crate::cli) fn following(self) -> Self {
        match self {
            Self::Topics(topics) => {
                let topics = *topics;
                Self::Topics(Box::new(Topics { reader: topics.reader.following(), ..topics }))
            }
            archive => archive,
        }
    }

    /// Returns what the topics have instead of the stream, for a message.
    pub(in crate::cli) fn instead(&self) -> String {
        match self {
            Self::Topics(topics) => topics.instead.text(),
            Self::Archive { .. } => String::new(),
        }
    }

    /// Shows how far the export is; `more` is what else there is to say.
    pub(in crate::cli) fn say_progress(&mut self, more: impl FnOnce() -> String) {
        match self {
            Self::Topics(topics) => topics.reader.say_progress(more),
            Self::Archive { puller, shown, .. } if shown.is_due() => {
                let of = format!("thousandths of the time read{}", more());
                shown.show(puller.progress().permille.into(), 1_000, &of);
            }
            Self::Archive { .. } => {}
        }
    }
}

impl Topics {
    fn next(&mut self) -> Result<Option<Exported>, Failure> {
        loop {
            let (topic, message) = match self.reader.next_within(Some(LOOKED_EVERY))? {
                Next::Record(record) => record,
                Next::End => return Ok(None),
                Next::Nothing => {
                    self.instead.say_if_due(&self.wanted.stream);
                    continue;
                }
            };
            self.instead.say_if_due(&self.wanted.stream);
            if let Some(other) = header_text(&message, "kvs.stream").filter(|name| *name != self.wanted.stream) {
                self.instead.note_stream(other);
                continue;
            }
            let place = format!("{topic} partition {} offset {}", message.partition(), message.offset());
            let timestamp_ms = message.timestamp().to_millis();
            let decoded = self.decoder.decode(message.payload().unwrap_or_default());
            let decoded = match decoded {
                Ok(decoded) => decoded,
                Err(error) => {
                    self.unreadable.note(&place, &error);
                    continue;
                }
            };
            let mut record = match decoded.kind {
                Kind::Fragment(record) => record,
                other => {
                    self.instead.note_kind(&other);
                    continue;
                }
            };
            let number = match record.number.parse::<FragmentNumber>() {
                Ok(number) => number,
                Err(error) => {
                    self.unreadable.note(&place, &error);
                    continue;
                }
            };
            if record.stream != self.wanted.stream {
                self.instead.note_stream(&record.stream);
                continue;
            }
            self.instead.note_own();
            if !self.wanted.has(&number, record.server_ms.map(Timestamp::from_millis)) {
                continue;
            }
            let partition = message.partition();
            if let Some((last, of_topic, of_partition)) = &self.last
                && number <= *last
            {
                // Partitions are read beside each other: the rest of the stream would be left out, too.
                if (of_topic, *of_partition) != (&topic, partition) {
                    let line = format!(
                        "stream {} is in several partitions ({of_topic} {of_partition}, {topic} {partition}), as with \
                         record.partition=key, or after partitions were added: it cannot be read in order from there; read it \
                         with --source kvs, or a part of it that is in one partition with --from or --fragments",
                        output::plain(&self.wanted.stream, 256)
                    );
                    return Err(unavailable(line));
                }
                output::say(format_args!(
                    "kvs-connect: {place}: fragment {} is left out, because a later one precedes it",
                    number.as_str()
                ));
                continue;
            }
            let (discontinuity, sequence) = (record.discontinuity == Some(true), record.sequence);
            let named =
                |error: &dyn std::fmt::Display| unavailable(format!("{place}: fragment {}: {error}", number.as_str()));
            let media = self.payloads.of(&mut record, timestamp_ms).map_err(|error| named(&error))?;
            let fragment = read_fragment(&media).ok_or_else(|| named(&"its media are no fragment"))?;
            self.last = Some((number, topic, partition));
            return Ok(Some(Exported { fragment, discontinuity, sequence }));
        }
    }
}
