//! `kvs-connect play`: a stream in a player, as it arrives.

use std::io::{ErrorKind, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use clap::Args;
use kvs_client::Timestamp;
use kvs_mkv::JoinError;

use super::export::{Exported, MediaFile, Span, Timeline};
use super::failure::{EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use super::output;
use super::stream_args::StreamArgs;

/// Players that are looked for, with what has each read its standard input.
const PLAYERS: [(&str, &[&str]); 2] = [
    ("ffplay", &["-v", "error", "-autoexit", "-fflags", "nobuffer", "-i", "-"]),
    ("mpv", &["--really-quiet", "--profile=low-latency", "-"]),
];

/// Shows a stream in a player, as its fragments arrive.
#[derive(Args)]
#[command(after_help = "\
Starts ffplay or mpv, whichever there is, and gives it the fragments from the topic. Any other player reads them, too:
  kvs-connect play --bootstrap-servers 127.0.0.1:9092 --topic kvs.fragments front-door
  kvs-connect play --bootstrap-servers 127.0.0.1:9092 --topic kvs.fragments front-door \\
    --stdout | vlc -")]
pub(super) struct Play {
    #[command(flatten)]
    from: StreamArgs,
    /// Begin this long before now.
    #[arg(long, value_name = "TIME SPAN", default_value = "10s", value_parser = humantime::parse_duration)]
    last: Duration,
    /// Stop at the end that the topic has at the start.
    #[arg(long)]
    until_end: bool,
    /// Write Matroska to standard output instead of starting a player.
    #[arg(long)]
    stdout: bool,
}

impl Play {
    pub(super) fn execute(self) -> Result<(), Failure> {
        if self.from.connector.json() {
            return Err(Failure::new(EXIT_USAGE, "--json: there is nothing to print"));
        }
        let source = self.from.open(Some(Timestamp::from_system_time(
            SystemTime::now().checked_sub(self.last).unwrap_or(SystemTime::UNIX_EPOCH),
        )))?;
        let mut source = if self.until_end { source } else { source.following() };
        let (player, out): (Option<(Child, &str)>, Box<dyn Write>) = match self.stdout {
            true => (None, Box::new(std::io::stdout())),
            false => {
                let (mut player, name) = start()?;
                output::say(format_args!(
                    "kvs-connect: {name} shows stream {} as it arrives",
                    output::plain(&self.from.stream, 256)
                ));
                let Some(input) = player.stdin.take() else {
                    return Err(Failure::new(EXIT_UNAVAILABLE, format!("{name} has no standard input")));
                };
                (Some((player, name)), Box::new(input))
            }
        };
        let mut shown = Shown { media: MediaFile::new(out), timeline: Timeline::default() };
        while let Some(exported) = source.next()? {
            match shown.add(&exported) {
                Ok(()) => {}
                // The player has been closed.
                Err(JoinError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => break,
                Err(JoinError::OtherTracks) => {
                    let number = exported.fragment.number.as_str();
                    let line = format!(
                        "the stream has other tracks from fragment {number} on: the camera was set up anew; play it again to go on"
                    );
                    return Err(Failure::new(EXIT_UNAVAILABLE, line));
                }
                Err(error) => return Err(Failure::new(EXIT_UNAVAILABLE, error)),
            }
        }
        drop(shown);
        let Some((mut player, name)) = player else { return Ok(()) };
        // It shows what it has before it ends.
        let status = player.wait().map_err(|error| Failure::new(EXIT_UNAVAILABLE, error))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(
            EXIT_UNAVAILABLE,
            format!("{name} has ended with {status}; --stdout gives the stream to another player"),
        ))
    }
}

/// Starts the first player that there is.
fn start() -> Result<(Child, &'static str), Failure> {
    for (name, arguments) in PLAYERS {
        match Command::new(name).args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn() {
            Ok(player) => return Ok((player, name)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::new(EXIT_UNAVAILABLE, format!("{name} cannot be started: {error}"))),
        }
    }
    let line = "there is neither ffplay nor mpv: install one (apt-get install ffmpeg, apt-get install mpv), or give --stdout to another player";
    Err(Failure::new(EXIT_UNAVAILABLE, line))
}

/// What the player has been given.
struct Shown {
    media: MediaFile<Box<dyn Write>>,
    timeline: Timeline,
}

impl Shown {
    fn add(&mut self, exported: &Exported) -> Result<(), JoinError> {
        if !self.media.has_begun() && !exported.fragment.is_random_access() {
            return Ok(());
        }
        let Some(span) = Span::of(exported) else { return Ok(()) };
        self.media.add(&exported.fragment, span, &mut self.timeline)?;
        Ok(self.media.flush()?)
    }
}
