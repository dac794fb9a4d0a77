//! `kvs-connect tail`.

mod show;
mod stats;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use rdkafka::Message;

use super::failure::{EXIT_UNAVAILABLE, EXIT_USAGE, Failure};
use super::output;
use super::topic_reader::{Next, Start, TopicReader};
use super::worker_args::WorkerArgs;
use crate::readback::{Decoder, Kind};

/// Of a topic that has nothing but other records, so many are passed over until the command gives up.
const OTHERS_MAX: u64 = 20;
/// How long a record is waited for before it is looked whether there is something else to do.
const LOOKED_EVERY: Duration = Duration::from_millis(50);

/// Prints committed fragments, metadata, frames, dead letters, or notifications.
#[derive(Args)]
#[command(after_help = "\
Only committed records are shown, as to any read_committed consumer. Fragments and metadata are a table, in which LAG MS is \
the time since the record's timestamp; frames, dead letters and notifications (notifications.topic) are a line each.
With --json each record has the fields of its schema, with bytes in base64, without the media unless --payload base64 asks \
for them, and partition, offset and record_timestamp_ms. With --stats it shows a line for each stream. Media that payload.mode has put elsewhere is not fetched by --save.
  kvs-connect tail --bootstrap-servers 127.0.0.1:9092 --topic kvs.fragments
  kvs-connect tail --worker worker.toml --topic kvs.fragments --from beginning \\
    --until-end --save ./fragments
  kvs-connect tail --worker worker.toml --topic kvs-connect-notifications \\
    --from beginning --until-end")]
pub(super) struct Tail {
    #[command(flatten)]
    worker: WorkerArgs,
    /// The topic of the fragments, of their metadata, of their frames, of dead letters, or of notifications.
    #[arg(long)]
    topic: String,
    /// Where to start.
    #[arg(long, value_enum, default_value = "end")]
    from: From,
    /// Stop after this many records.
    #[arg(long, value_name = "N")]
    max: Option<u64>,
    /// Stop at the end that the topic has at the start.
    #[arg(long, conflicts_with = "follow")]
    until_end: bool,
    /// Go on with what is written from now on, which is the default.
    #[arg(long)]
    follow: bool,
    /// Show a line for each stream instead of each record, renewed every second on a terminal and every ten elsewhere: rates, lag, faults.
    #[arg(long, conflicts_with_all = ["json", "save"])]
    stats: bool,
    /// What --json has of the media.
    #[arg(long, value_enum, default_value = "none", requires = "json")]
    payload: PayloadForm,
    /// Print one JSON object per line, with the names of the schema and without the media.
    #[arg(long)]
    json: bool,
    /// Write each fragment's payload to DIR/STREAM-NUMBER.mkv.
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PayloadForm {
    /// Nothing.
    None,
    /// The payload of fragments, and the data of frames, in base64.
    Base64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// The first record that still exists.
    Beginning,
    /// The records written from now on.
    End,
}

impl Tail {
    pub(super) fn execute(self) -> Result<(), Failure> {
        let worker = self.worker.load().map_err(|problems| Failure::config(&problems))?;
        if let Some(folder) = &self.save {
            make_folder(folder)?;
        }
        let start = if self.from == From::Beginning { Start::Beginning } else { Start::End };
        let reader = TopicReader::open(&worker, std::slice::from_ref(&self.topic), start)?;
        let mut reader = if self.until_end { reader } else { reader.following() };
        let decoder = Decoder::new().map_err(|error| Failure::new(EXIT_UNAVAILABLE, error))?;
        let mut printer = show::Printer::new(self.json, self.payload == PayloadForm::Base64);
        let mut stats = self.stats.then(stats::Stats::new);
        let (mut known, mut others) = (0, 0);
        while self.max.is_none_or(|max| known + others < max) {
            if let Some(stats) = &mut stats {
                stats.show_if_due()?;
            }
            let message = match reader.next_within(Some(LOOKED_EVERY))? {
                Next::Record((_, message)) => message,
                Next::Nothing => continue,
                Next::End => break,
            };
            let place = show::Place::of(&message);
            let error = match decoder.decode(message.payload().unwrap_or_default()) {
                Ok(decoded) => {
                    if let (Some(folder), Kind::Fragment(fragment)) = (&self.save, &decoded.kind) {
                        show::save(folder, fragment).map_err(|error| Failure::new(EXIT_UNAVAILABLE, error))?;
                    }
                    match &mut stats {
                        Some(stats) => stats.add(&decoded, &place),
                        None => printer.print(decoded, &place)?,
                    }
                    known += 1;
                    continue;
                }
                Err(error) => error,
            };
            if let Some(letter) = show::DeadLetter::of(&message) {
                match &mut stats {
                    Some(stats) => stats.add_dead_letter(&letter.stream, &place),
                    None => printer.print_dead_letter(&letter, &place)?,
                }
                known += 1;
                continue;
            }
            let show::Place { partition, offset, .. } = place;
            output::say(format_args!(
                "kvs-connect: the record at partition {partition} offset {offset} is neither a fragment, nor metadata, nor a \
                 frame, nor a notification, nor a dead letter: {error}"
            ));
            others += 1;
            if known == 0 && others == OTHERS_MAX {
                let reason = format!(
                    "topic {}: none of its first {OTHERS_MAX} records is of a kind that this command shows",
                    self.topic
                );
                return Err(Failure::new(EXIT_UNAVAILABLE, reason));
            }
        }
        stats.map_or(Ok(()), |mut stats| stats.show())
    }
}

/// Creates the folder for saved fragments, unless it exists.
fn make_folder(folder: &Path) -> Result<(), Failure> {
    let shown = folder.display();
    if folder.exists() && !folder.is_dir() {
        let reason =
            format!("--save {shown}: it exists but is not a folder, and each fragment is saved as a file in a folder");
        return Err(Failure::new(EXIT_USAGE, reason));
    }
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::new(EXIT_UNAVAILABLE, format!("--save {shown}: the folder cannot be created: {error}"))
    })
}
