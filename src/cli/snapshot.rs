//! `kvs-connect snapshot`: the newest key frame of a stream as a picture.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use kvs_client::Timestamp;
use kvs_mkv::TrackKind;
use serde_json::json;

use super::export::{Exported, PartFile, Source, run_ffmpeg};
use super::failure::{EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use super::output;
use super::stream_args::StreamArgs;
use super::time_text::time_text;

/// How far back is looked, step by step; then in all of the topic.
const LOOKS: [Duration; 3] = [Duration::from_secs(60), Duration::from_secs(3_600), Duration::from_secs(86_400)];

/// The endings of pictures that any ffmpeg writes.
const ENDINGS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "bmp"];

/// Writes the newest key frame of a stream as a picture.
#[derive(Args)]
#[command(after_help = "\
Needs ffmpeg, which decodes the picture. The name's ending says what it becomes: .jpg, .png, .webp, .bmp.
  kvs-connect snapshot --bootstrap-servers 127.0.0.1:9092 --topic kvs.fragments \\
    front-door -o front-door.jpg")]
pub(super) struct Snapshot {
    #[command(flatten)]
    from: StreamArgs,
    /// The file. One that exists is replaced.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Snapshot {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let ending = self.output.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase);
        let Some(ending) = ending.filter(|ending| ENDINGS.contains(&ending.as_str())) else {
            let line = format!(
                "--output {}: a name that ends with .{} was expected",
                self.output.display(),
                ENDINGS.join(", .")
            );
            return Err(Failure::new(EXIT_USAGE, line));
        };
        let stream = output::plain(&self.from.stream, 256);
        let looks = LOOKS.iter().map(|back| Some(Timestamp::from_system_time(SystemTime::now() - *back))).chain([None]);
        let (mut found, mut instead) = (None, String::new());
        for from in looks {
            let mut source = self.from.open(from)?;
            found = newest(&mut source)?;
            instead = source.instead();
            if found.is_some() {
                break;
            }
        }
        let Some(Exported { fragment, .. }) = found else {
            let line =
                format!("the topic has no fragment of stream {stream} that begins with a key frame of video{instead}");
            return Err(Failure::new(EXIT_UNAVAILABLE, line));
        };
        let part = PartFile::beside(&self.output, "mkv")?;
        let failed = |error: std::io::Error| {
            Failure::new(EXIT_UNAVAILABLE, format!("{} cannot be written: {error}", self.output.display()))
        };
        part.create()?.write_all(&fragment.payload).map_err(failed)?;
        let picture = PartFile::beside(&self.output, &ending)?;
        let how = ["-skip_frame", "nokey", "-i"].map(std::ffi::OsStr::new);
        // Each key frame replaces the one before.
        let to = ["-map", "0:v:0", "-fps_mode", "passthrough", "-update", "1"].map(std::ffi::OsStr::new);
        let arguments = how.into_iter().chain([part.path().as_os_str()]).chain(to).chain([picture.path().as_os_str()]);
        run_ffmpeg("a picture", &arguments.collect::<Vec<_>>())?;
        picture.complete()?;
        if self.from.connector.json() {
            let taken = fragment.producer_timestamp.map(Timestamp::millis);
            return output::print(json!({
                "file": self.output, "stream": self.from.stream, "fragment_number": fragment.number.as_str(), "producer_timestamp_ms": taken,
            }));
        }
        let time = fragment.producer_timestamp.map_or("-".to_owned(), |at| time_text(at.millis()));
        output::print(format_args!(
            "{}: stream {stream}, fragment {}, {time}",
            self.output.display(),
            fragment.number.as_str()
        ))
    }
}

/// Returns the last fragment of video with which a decoder can begin.
fn newest(source: &mut Source) -> Result<Option<Exported>, Failure> {
    let mut newest = None;
    while let Some(exported) = source.next()? {
        let fragment = &exported.fragment;
        let has_video = fragment.tracks.iter().any(|track| {
            track.kind == TrackKind::Video && fragment.frames.iter().any(|frame| frame.track == track.number)
        });
        if has_video && fragment.is_random_access() {
            newest = Some(exported);
        }
    }
    Ok(newest)
}
