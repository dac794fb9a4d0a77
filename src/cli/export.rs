//! `kvs-connect export`: a part of a stream as one file that a player plays.

mod ffmpeg;
mod part_file;
mod source;
mod timeline;
mod wav;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use kvs_client::{FragmentNumber, Timestamp};
use kvs_frames::TrackSelection;
use kvs_mkv::{FileJoiner, FileSegment, Fragment, JoinError, Limits, Track, TrackKind};
use serde_json::json;

use super::connector_args::{ConnectorArgs, topic_of};
use super::failure::{EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use super::output;
use super::remote::Remote;
use super::worker_args::WorkerArgs;
use crate::config::ConnectorConfig;
use crate::config::connector::parse_moment;
pub(super) use ffmpeg::run as run_ffmpeg;
pub(super) use part_file::PartFile;
pub(super) use source::{Exported, Source, Wanted};
use timeline::Gap;
pub(super) use timeline::{Span, Timeline};
use wav::{Samples, WavWriter};

/// How many gaps are listed.
const GAPS_MAX: usize = 100;

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
    #[command(flatten)]
    worker: WorkerArgs,
    #[command(flatten)]
    remote: Remote,
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
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "last")]
    from: Option<Timestamp>,
    /// Only what the service received up to this time.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to: Option<Timestamp>,
    /// Only what the service received in this time before now: 5m, 1h30m.
    #[arg(long, value_name = "TIME SPAN", value_parser = humantime::parse_duration)]
    last: Option<Duration>,
    /// Only these fragments, both included; either may be left out.
    #[arg(long, value_name = "FIRST..LAST", value_parser = fragments)]
    fragments: Option<(Option<FragmentNumber>, Option<FragmentNumber>)>,
    /// Only these tracks, by number, name or kind: AUDIO_FROM_CUSTOMER, 1, video.
    #[arg(long, value_name = "TRACK,…", value_parser = tracks)]
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

fn moment(text: &str) -> Result<Timestamp, String> {
    parse_moment(text).map_err(|error| error.to_string())
}

fn tracks(text: &str) -> Result<TrackSelection, String> {
    text.parse::<TrackSelection>().map_err(|error| error.to_string())
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

/// What kind of file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Mkv,
    Mp4,
    Wav,
}

impl Format {
    fn of(file: &Path) -> Result<Self, Failure> {
        match file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("mkv" | "webm") => Ok(Self::Mkv),
            Some("mp4" | "mov") => Ok(Self::Mp4),
            Some("wav") => Ok(Self::Wav),
            _ => {
                let line =
                    format!("--output {}: a name that ends with .mkv, .mp4 or .wav was expected", file.display());
                Err(Failure::new(EXIT_USAGE, line))
            }
        }
    }
}

impl Export {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let format = Format::of(&self.output)?;
        // First: where it cannot be written, nothing has to be read.
        let mut written = Written::new(&self, format)?;
        let (mut source, connector) = self.open()?;
        while let Some(exported) = source.next()? {
            written.add(exported)?;
            let fragments = written.fragments;
            source.say_progress(|| format!(", {fragments} fragments exported"));
        }
        let stream = output::plain(&self.stream, 256);
        if written.fragments == 0 {
            let place = match (self.source, &connector, &self.topic) {
                (From::Kvs, ..) => "the archive".to_owned(),
                (_, _, Some(topic)) => format!("topic {topic}"),
                (_, Some(connector), None) => format!("the topics of connector {}", connector.name),
                _ => "the topic".to_owned(),
            };
            let why = if written.skipped > 0 { " with which a decoder can begin" } else { "" };
            let line = format!("{place} has no fragment of stream {stream}{why} in this range");
            return Err(Failure::new(EXIT_UNAVAILABLE, line));
        }
        written.finish()
    }

    /// Opens the source, and loads the connector's settings if one is named.
    fn open(&self) -> Result<(Source, Option<ConnectorConfig>), Failure> {
        let worker = self.worker.load().map_err(|problems| Failure::config(&problems))?;
        let needs_connector = self.source == From::Kvs || self.topic.is_none();
        let connector = match self.connector.is_given() || needs_connector {
            true => Some(self.connector.load(&worker, &self.remote)?.0),
            false => None,
        };
        let from = self.from.or(self.last.map(|last| Timestamp::from_system_time(SystemTime::now() - last)));
        let (first, last) = self.fragments.clone().unwrap_or_default();
        let wanted = Wanted { stream: self.stream.clone(), from, to: self.to, first, last };
        let source = match (self.source, &connector, &self.topic) {
            (From::Kvs, Some(connector), _) => Source::archive(connector, wanted)?,
            (_, connector, topic) => {
                let topic = topic_of(topic.as_ref(), connector.as_ref())?;
                Source::topics(&worker, &[topic], connector.as_ref(), wanted)?
            }
        };
        Ok((source, connector))
    }
}

/// The file as far as it is written.
struct Written<'a> {
    options: &'a Export,
    format: Format,
    part: PartFile,
    sink: Sink,
    timeline: Timeline,
    gaps: Vec<Gap>,
    gaps_count: u64,
    last_sequence: Option<i64>,
    missing: i64,
    fragments: u64,
    /// How many fragments precede the first one with which a decoder can begin.
    skipped: u64,
    /// Whether ffmpeg has to make samples of the audio.
    is_converted: bool,
}

enum Sink {
    Nothing(Option<File>),
    Matroska(FileJoiner<BufWriter<File>>),
    Wav(WavWriter<BufWriter<File>>, u64),
}

impl<'a> Written<'a> {
    fn new(options: &'a Export, format: Format) -> Result<Self, Failure> {
        let part = PartFile::beside(&options.output, if format == Format::Wav { "wav" } else { "mkv" })?;
        let sink = Sink::Nothing(Some(part.create()?));
        let (timeline, gaps) = (Timeline::default(), Vec::new());
        let (gaps_count, last_sequence, missing, fragments, skipped) = (0, None, 0, 0, 0);
        Ok(Self {
            options,
            format,
            part,
            sink,
            timeline,
            gaps,
            gaps_count,
            last_sequence,
            missing,
            fragments,
            skipped,
            is_converted: false,
        })
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::new(EXIT_UNAVAILABLE, format!("{} cannot be written: {error}", self.options.output.display()))
    }

    fn add(&mut self, exported: Exported) -> Result<(), Failure> {
        let Exported { mut fragment, discontinuity, sequence } = exported;
        let number = fragment.number.clone();
        let of_fragment = |error: &dyn std::fmt::Display| {
            Failure::new(EXIT_UNAVAILABLE, format!("fragment {}: {error}", number.as_str()))
        };
        if let Some(wanted) = &self.options.tracks {
            fragment = fragment.with_tracks(0, |track| wanted.contains(track)).map_err(|error| of_fragment(&error))?;
        }
        if self.fragments == 0 && !fragment.is_random_access() {
            self.skipped += 1;
            return Ok(());
        }
        self.missing += self.last_sequence.zip(sequence).map_or(0, |(last, now)| (now - last - 1).max(0));
        self.last_sequence = sequence.or(self.last_sequence);
        let Some(span) = Span::of_fragment(&fragment, discontinuity) else { return Ok(()) };
        if self.format == Format::Wav && !self.is_converted {
            self.add_samples(&fragment, span)?;
        } else {
            self.add_media(&fragment, span)?;
        }
        self.fragments += 1;
        Ok(())
    }

    /// Appends a fragment as it is.
    fn add_media(&mut self, fragment: &Fragment, span: Span) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(EXIT_UNAVAILABLE, format!("fragment {}: {error}", fragment.number.as_str()))
        };
        let read = FileSegment::read_all(&fragment.payload, Limits::default()).map_err(|error| failed(&error))?;
        read.iter().try_for_each(|segment| self.add_segment(segment, span)).map_err(|error| failed(&error))
    }

    fn place(&mut self, span: Span, unit_ns: i64) -> i64 {
        let (offset, gap) = self.timeline.place(span, unit_ns);
        if let Some(gap) = gap {
            self.gaps_count += 1;
            if self.gaps.len() < GAPS_MAX {
                self.gaps.push(gap);
            }
        }
        offset
    }

    fn add_segment(&mut self, segment: &FileSegment, span: Span) -> Result<(), JoinError> {
        if let Sink::Nothing(file) = &mut self.sink
            && let Some(file) = file.take()
        {
            self.sink = Sink::Matroska(FileJoiner::new(BufWriter::new(file), segment, span.utc_ns)?);
        }
        let Sink::Matroska(joiner) = &self.sink else { return Ok(()) };
        if !joiner.accepts(segment)? {
            return Err(JoinError::OtherTracks);
        }
        let unit_ns = i64::try_from(joiner.scale_ns()).unwrap_or(1);
        let offset = self.place(span, unit_ns);
        let Sink::Matroska(joiner) = &mut self.sink else { return Ok(()) };
        segment
            .clusters
            .iter()
            .try_for_each(|cluster| joiner.cluster(cluster, cluster.timestamp_ns.saturating_add(offset)))
    }

    fn add_samples(&mut self, fragment: &Fragment, span: Span) -> Result<(), Failure> {
        if let Sink::Nothing(file) = &mut self.sink {
            let audio: Vec<&Track> = fragment.tracks.iter().filter(|track| track.kind == TrackKind::Audio).collect();
            let [track] = audio[..] else {
                let names = audio.iter().map(|track| track.name.clone().unwrap_or_else(|| track.number.to_string()));
                let names = names.collect::<Vec<_>>().join(", ");
                let line = match audio.len() {
                    0 => "the stream has no audio for a .wav file".to_owned(),
                    _ => format!("the stream has several audio tracks: choose one with --tracks: {names}"),
                };
                return Err(Failure::new(EXIT_USAGE, line));
            };
            let Some(samples) = fragment.media_type(track).and_then(|media_type| Samples::of_media_type(&media_type))
            else {
                self.is_converted = true;
                return self.add_media(fragment, span);
            };
            let Some(file) = file.take() else { return Ok(()) };
            let number = track.number;
            let writer = WavWriter::new(BufWriter::new(file), samples).map_err(|error| self.failed(&error))?;
            self.sink = Sink::Wav(writer, number);
        }
        let offset = self.place(span, 1);
        let Sink::Wav(writer, number) = &mut self.sink else { return Ok(()) };
        for frame in fragment.frames.iter().filter(|frame| frame.track == *number) {
            let written = writer.write(frame.timestamp_ns.saturating_add(offset), fragment.frame_data(frame));
            written.map_err(|error| {
                Failure::new(EXIT_UNAVAILABLE, format!("{} cannot be written: {error}", self.options.output.display()))
            })?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        let Self { options, part, sink, timeline, gaps, gaps_count, missing, fragments, skipped, .. } = self;
        let converted = match self.format {
            Format::Mp4 => Some(("an .mp4 file", "mp4", &["-map", "0", "-c", "copy", "-movflags", "+faststart"][..])),
            Format::Wav if self.is_converted => {
                Some(("a .wav file of this audio", "wav", &["-map", "0:a:0", "-c:a", "pcm_s16le"][..]))
            }
            _ => None,
        };
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(EXIT_UNAVAILABLE, format!("{} cannot be written: {error}", options.output.display()))
        };
        match sink {
            Sink::Nothing(_) => {}
            Sink::Matroska(joiner) => {
                let mut file = joiner.finish().map_err(|error| failed(&error))?;
                file.flush().map_err(|error| failed(&error))?;
            }
            Sink::Wav(writer, _) => writer.finish().map_err(|error| failed(&error))?,
        }
        match converted {
            None => part.complete()?,
            Some((what, ending, how)) => {
                let other = PartFile::beside(&options.output, ending)?;
                let mut arguments = vec![OsStr::new("-i"), part.path().as_os_str()];
                arguments.extend(how.iter().map(OsStr::new));
                arguments.push(other.path().as_os_str());
                run_ffmpeg(what, &arguments)?;
                other.complete()?;
            }
        }
        let seconds = timeline.end_ns() as f64 / 1e9;
        if options.remote.json {
            let gaps =
                gaps.iter().map(|gap| json!({ "at_ns": gap.at_ns, "length_ns": gap.length_ns })).collect::<Vec<_>>();
            return output::print_if_read(json!({
                "file": options.output, "stream": options.stream, "fragments": fragments, "duration_ns": timeline.end_ns(),
                "gaps": gaps, "gaps_count": gaps_count, "missing": missing, "skipped": skipped,
            }));
        }
        output::print_if_read(format_args!("{}: {fragments} fragments, {seconds:.3} s", options.output.display()))?;
        for gap in &gaps {
            let (at, length) = (gap.at_ns as f64 / 1e9, gap.length_ns as f64 / 1e9);
            output::print_if_read(format_args!("gap at {at:.3} s: {length:.3} s"))?;
        }
        if gaps_count > gaps.len() as u64 {
            output::print_if_read(format_args!("and {} more gaps", gaps_count - gaps.len() as u64))?;
        }
        if missing > 0 {
            output::print_if_read(format_args!("{missing} records are missing in between, by their sequences"))?;
        }
        if skipped > 0 {
            output::print_if_read(format_args!(
                "{skipped} fragments before the first one with which a decoder can begin were left out"
            ))?;
        }
        Ok(())
    }
}
