//! `kvs-connect export`: a part of a stream as one file that a player plays.

mod ffmpeg;
mod instead;
mod media_file;
mod part_file;
mod source;
mod timeline;
mod wav;
mod written;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use kvs_client::{FragmentNumber, Timestamp};
use kvs_frames::TrackSelection;

use super::connector_args::{ConnectorArgs, topic_of};
use super::failure::{EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use super::output;
use crate::config::ConnectorConfig;
use crate::config::connector::parse_moment;
pub(super) use ffmpeg::run as run_ffmpeg;
pub(super) use media_file::MediaFile;
pub(super) use part_file::PartFile;
pub(super) use source::{Exported, Source, Wanted};
pub(super) use timeline::{Span, Timeline};
use written::{Format, Target, Written};

/// Writes a part of a stream as one file.
#[derive(Args)]
#[command(after_help = "\
The file has the stream's own frames, nothing is encoded again. .mkv needs nothing else; .mp4 and .wav need ffmpeg, except \
.wav of audio/L16, as Amazon Connect sends it. Times continue from fragment to fragment; where time has a gap, so has the \
file, and it is listed. The file begins with a fragment with which a decoder can begin, and gets its name when it is complete.
From the topics it takes --topic, or a connector, of which it also knows where payload.mode has put the media. --source kvs \
reads the archive of the service, with the connector's settings.
  kvs-connect export --bootstrap-servers 127.0.0.1:9092 --topic kvs.fragments \\
    --stream front-door --last 5m -o front-door.mkv
  kvs-connect export --worker worker.toml --connector cameras --source kvs \\
    --stream front-door --from 2026-11-28T06:00:00Z --to 2026-11-28T06:05:00Z -o front-door.mp4")]
pub(super) struct Export {
    #[command(flatten)]
    connector: ConnectorArgs,
    /// The topic of the fragments; otherwise that of the connector.
    #[arg(long)]
    topic: Option<String>,
    /// The stream, by name.
    #[arg(long)]
    stream: String,
    /// Where the fragments come from.
    #[arg(long, value_enum, default_value = "kafka")]
    source: From,
    /// Only what the service received from this time on: RFC 3339, or seconds or milliseconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "last")]
    from: Option<Timestamp>,
    /// Only what the service received up to this time.
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    to: Option<Timestamp>,
    /// Only what the service received in this time before now: 5m, 1h30m.
    #[arg(long, value_name = "TIME SPAN", value_parser = humantime::parse_duration)]
    last: Option<Duration>,
    /// Only these fragments, both included; either may be left out.
    #[arg(long, value_name = "FIRST..LAST", value_parser = fragments)]
    fragments: Option<Range>,
    /// Only these tracks, by number, name or kind: AUDIO_FROM_CUSTOMER, 1, video.
    #[arg(long, value_name = "TRACK,…")]
    tracks: Option<TrackSelection>,
    /// The file: .mkv, .mp4 or .wav. One that exists is replaced.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// The topics.
    Kafka,
    /// The archive of the service.
    Kvs,
}

/// The first and the last fragment.
type Range = (Option<FragmentNumber>, Option<FragmentNumber>);

fn fragments(text: &str) -> Result<Range, String> {
    let (first, last) = text.split_once("..").ok_or("FIRST..LAST was expected")?;
    let number = |text: &str| match text.trim() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|error: kvs_mkv::BadFragmentNumber| format!("{text:?}: {error}")),
    };
    Ok((number(first)?, number(last)?))
}

impl Export {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let target = Target {
            format: Format::of(&self.output)?,
            output: self.output.clone(),
            stream: self.stream.clone(),
            tracks: self.tracks.clone(),
            json: self.connector.json(),
        };
        // First: where it cannot be written, nothing has to be read.
        let mut written = Written::new(target)?;
        let (mut source, connector) = self.open()?;
        while let Some(exported) = source.next()? {
            written.add(exported)?;
            let fragments = written.fragments();
            source.say_progress(|| format!(", {fragments} fragments exported"));
        }
        let stream = output::plain(&self.stream, 256);
        if written.fragments() == 0 {
            let place = match (self.source, &connector, &self.topic) {
                (From::Kvs, ..) => "the archive".to_owned(),
                (_, _, Some(topic)) => format!("topic {topic}"),
                (_, Some(connector), None) => format!("connector {}", connector.name),
                _ => "the topic".to_owned(),
            };
            let why = if written.skipped() > 0 { " with which a decoder can begin" } else { "" };
            let is_bounded =
                self.from.is_some() || self.to.is_some() || self.last.is_some() || self.fragments.is_some();
            let range = if is_bounded { " in this range" } else { "" };
            let line = format!("{place} has no fragment of stream {stream}{why}{range}{}", source.instead());
            return Err(Failure::new(EXIT_UNAVAILABLE, line));
        }
        written.finish()
    }

    /// Opens the source, and loads the connector's settings if one is named.
    fn open(&self) -> Result<(Source, Option<ConnectorConfig>), Failure> {
        let from = self.from.or(self.last.map(|last| {
            Timestamp::from_system_time(SystemTime::now().checked_sub(last).unwrap_or(SystemTime::UNIX_EPOCH))
        }));
        let (first, last) = self.fragments.clone().unwrap_or_default();
        if from.zip(self.to).is_some_and(|(from, to)| from > to) {
            let begin = if self.last.is_some() { "what --last begins with" } else { "--from" };
            return Err(Failure::new(EXIT_USAGE, format!("{begin} is later than --to")));
        }
        if first.as_ref().zip(last.as_ref()).is_some_and(|(first, last)| first > last) {
            return Err(Failure::new(EXIT_USAGE, "--fragments: the first one is behind the last one"));
        }
        let wanted = Wanted { stream: self.stream.clone(), from, to: self.to, first, last };
        if self.source == From::Kvs {
            let connector = self.connector.load_without_kafka()?;
            return Ok((Source::archive(&connector, wanted)?, Some(connector)));
        }
        let worker = self.connector.load_worker()?;
        let connector = self.connector.load_if(self.topic.is_none(), &worker)?;
        let topic = topic_of(self.topic.as_ref(), connector.as_ref(), &self.stream)?;
        Ok((Source::topics(&worker, &[topic], connector.as_ref(), wanted)?, connector))
    }
}
