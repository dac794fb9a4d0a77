//! The file that an export writes.

use std::ffi::OsStr;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use kvs_frames::{TrackSelection, TrackSelector};
use kvs_mkv::{Fragment, FragmentNumber, JoinError, Samples, Track, TrackKind};
use serde_json::json;

use super::ffmpeg;
use super::media_file::MediaFile;
use super::part_file::PartFile;
use super::source::Exported;
use super::timeline::{Gap, Span, Timeline};
use super::wav::WavWriter;
use crate::cli::failure::{EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use crate::cli::output;

/// The longest gap in an .mp4 file: a frame's duration has 31 bits, in units of which a second has 16,000 at least.
const MP4_GAP_MAX_NS: i64 = 86_400_000_000_000;
/// How many gaps are listed.
const GAPS_MAX: usize = 100;

/// What to write.
pub(super) struct Target {
    /// The file.
    pub(super) output: PathBuf,
    pub(super) format: Format,
    /// The stream's name.
    pub(super) stream: String,
    /// The tracks; all if none are named.
    pub(super) tracks: Option<TrackSelection>,
    /// Whether to say what was written in JSON.
    pub(super) json: bool,
}

/// What kind of file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Mkv,
    Mp4,
    Wav,
}

impl Format {
    /// Returns the kind of file that a name says.
    pub(super) fn of(file: &Path) -> Result<Self, Failure> {
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

/// The file as far as it is written.
pub(super) struct Written {
    target: Target,
    part: PartFile,
    sink: Sink,
    timeline: Timeline,
    gaps: Vec<Gap>,
    gaps_count: u64,
    last_sequence: Option<i64>,
    last_number: Option<FragmentNumber>,
    missing: i64,
    fragments: u64,
    /// Those of the tracks that are wanted, and that no fragment has had so far.
    absent: Vec<TrackSelector>,
    /// How many fragments precede the first one with which a decoder can begin.
    skipped: u64,
    /// Whether ffmpeg has to make samples of the audio.
    is_converted: bool,
}

enum Sink {
    Media(MediaFile<File>),
    Wav(WavWriter<BufWriter<File>>, u64),
}

impl Written {
    /// Begins the file, under a name of its own.
    pub(super) fn new(target: Target) -> Result<Self, Failure> {
        let part = PartFile::beside(&target.output, if target.format == Format::Wav { "wav" } else { "mkv" })?;
        let sink = Sink::Media(MediaFile::new(part.create()?));
        let (timeline, gaps) = (Timeline::default(), Vec::new());
        let (gaps_count, last_sequence, missing, fragments, skipped) = (0, None, 0, 0, 0);
        let absent = target.tracks.clone().map(|wanted| wanted.0).unwrap_or_default();
        Ok(Self {
            absent,
            target,
            part,
            sink,
            timeline,
            gaps,
            gaps_count,
            last_sequence,
            last_number: None,
            missing,
            fragments,
            skipped,
            is_converted: false,
        })
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::new(EXIT_UNAVAILABLE, format!("{} cannot be written: {error}", self.target.output.display()))
    }

    /// Appends a fragment.
    pub(super) fn add(&mut self, exported: Exported) -> Result<(), Failure> {
        let Exported { mut fragment, discontinuity, sequence } = exported;
        let number = fragment.number.clone();
        let of_fragment = |error: &dyn std::fmt::Display| {
            Failure::new(EXIT_UNAVAILABLE, format!("fragment {}: {error}", number.as_str()))
        };
        if let Some(wanted) = &self.target.tracks {
            let tracks = fragment.tracks.iter().map(|track| match &track.name {
                Some(name) => format!("{} ({name})", track.number),
                None => track.number.to_string(),
            });
            self.absent.retain(|selector| !fragment.tracks.iter().any(|track| selector.contains(track)));
            let there_are = tracks.collect::<Vec<_>>().join(", ");
            let chosen = fragment.with_tracks(0, |track| wanted.contains(track));
            fragment =
                chosen.map_err(|error| of_fragment(&format_args!("--tracks: {error}; there are {there_are}")))?;
        }
        if self.fragments == 0 && !fragment.is_random_access() {
            self.skipped += 1;
            return Ok(());
        }
        self.missing += self.last_sequence.zip(sequence).map_or(0, |(last, now)| (now - last - 1).max(0));
        self.last_sequence = sequence.or(self.last_sequence);
        let Some(span) = Span::of_fragment(&fragment, discontinuity) else { return Ok(()) };
        if self.target.format == Format::Wav && !self.is_converted {
            self.add_samples(&fragment, span)?;
        } else {
            self.add_media(&fragment, span)?;
        }
        self.fragments += 1;
        self.last_number = Some(number);
        Ok(())
    }

    /// Appends a fragment as it is.
    fn add_media(&mut self, fragment: &Fragment, span: Span) -> Result<(), Failure> {
        let Sink::Media(media) = &mut self.sink else { return Ok(()) };
        let number = fragment.number.as_str();
        let gap = media.add(fragment, span, &mut self.timeline).map_err(|error| {
            let how = match (&error, &self.last_number) {
                (JoinError::OtherTracks, Some(last)) => format!(
                    ": the camera was set up anew, and one file has one setup; export --fragments ..{} and --fragments {number}.. into two",
                    last.as_str()
                ),
                _ => String::new(),
            };
            Failure::new(EXIT_UNAVAILABLE, format!("fragment {number}: {error}{how}"))
        })?;
        self.note(gap)
    }

    /// Keeps a gap for what is said in the end, if the file can hold it.
    fn note(&mut self, gap: Option<Gap>) -> Result<(), Failure> {
        if self.target.format == Format::Mp4
            && let Some(gap) = gap.filter(|gap| gap.length_ns > MP4_GAP_MAX_NS)
        {
            return Err(self.failed(&format_args!(
                "a gap of {} h is longer than an .mp4 file can hold: write an .mkv file, or what is before and after it, with \
                 --from and --to",
                gap.length_ns / 3_600_000_000_000
            )));
        }
        self.gaps_count += u64::from(gap.is_some());
        self.gaps.extend(gap.filter(|_| self.gaps.len() < GAPS_MAX));
        Ok(())
    }

    fn add_samples(&mut self, fragment: &Fragment, span: Span) -> Result<(), Failure> {
        if let Sink::Media(media) = &mut self.sink {
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
            let Some(file) = media.take_unused() else { return Ok(()) };
            let number = track.number;
            let writer = WavWriter::new(BufWriter::new(file), samples).map_err(|error| self.failed(&error))?;
            self.sink = Sink::Wav(writer, number);
        }
        let (offset, gap) = self.timeline.place(span, 1);
        self.note(gap)?;
        let Sink::Wav(writer, number) = &mut self.sink else { return Ok(()) };
        for frame in fragment.frames.iter().filter(|frame| frame.track == *number) {
            let written = writer.write(frame.timestamp_ns.saturating_add(offset), fragment.frame_data(frame));
            written.map_err(|error| {
                Failure::new(EXIT_UNAVAILABLE, format!("{} cannot be written: {error}", self.target.output.display()))
            })?;
        }
        Ok(())
    }

    /// Returns how many fragments are in the file.
    pub(super) fn fragments(&self) -> u64 {
        self.fragments
    }

    /// Returns how many were left out before the first one with which a decoder can begin.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Completes the file, and says what is in it.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Self {
            target: options,
            part,
            is_converted,
            sink,
            timeline,
            gaps,
            gaps_count,
            missing,
            fragments,
            skipped,
            absent,
            ..
        } = self;
        let converted = match options.format {
            Format::Mp4 => Some((
                "an .mp4 file (an .mkv file holds any codec, and a .wav file any audio)",
                "mp4",
                &["-map", "0", "-c", "copy", "-movflags", "+faststart"][..],
            )),
            Format::Wav if is_converted => {
                Some(("a .wav file of this audio", "wav", &["-map", "0:a:0", "-c:a", "pcm_s16le"][..]))
            }
            _ => None,
        };
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(EXIT_UNAVAILABLE, format!("{} cannot be written: {error}", options.output.display()))
        };
        match sink {
            Sink::Media(media) => media.finish().map_err(|error| failed(&error))?,
            Sink::Wav(writer, _) => writer.finish().map_err(|error| failed(&error))?,
        }
        match converted {
            None => part.complete()?,
            Some((what, ending, how)) => {
                let other = PartFile::beside(&options.output, ending)?;
                let mut arguments = vec![OsStr::new("-i"), part.path().as_os_str()];
                arguments.extend(how.iter().map(OsStr::new));
                arguments.push(other.path().as_os_str());
                ffmpeg::run(what, &arguments)?;
                other.complete()?;
            }
        }
        for selector in &absent {
            output::say(format_args!("kvs-connect: --tracks {selector}: no fragment has this track"));
        }
        let seconds = timeline.end_ns() as f64 / 1e9;
        if options.json {
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
