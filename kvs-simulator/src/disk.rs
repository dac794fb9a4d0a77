//! Streams that outlive the simulator: one folder a stream, one file a fragment.
//!
//! **Contract.** A fragment is on disk, under its last name, before it is acknowledged as PERSISTED. What is not whole
//! has another name and is removed at the next start. Nothing is removed that the simulator has not written: its own
//! names are known exactly.
//!
//! - `DIR/ACCOUNT/stream-NAME-HASH/stream.json`
//! - `DIR/ACCOUNT/stream-NAME-HASH/INGESTED_MILLIS-FRAGMENT_NUMBER.mkv`: the chunk as GetMedia sends it

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::files;
use crate::number;
use crate::source::Media;
use crate::stream::{Behind, Held, Identity, Settings, Stream};

const STREAM_FILE: &str = "stream.json";
const UNFINISHED_STREAM: &str = "stream.unfinished";
/// What the names of fragments end with.
const FRAGMENT: &str = "mkv";
const UNFINISHED: &str = "unfinished";
/// So many foreign files of a folder are named.
const NAMED_MAX: usize = 10;

/// Where streams are kept.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    root: PathBuf,
}

/// What is kept of a stream besides its fragments.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    identity: Identity,
    #[serde(flatten)]
    settings: Settings,
}

/// A stream that was kept.
pub(crate) struct Kept {
    pub(crate) identity: Identity,
    pub(crate) settings: Settings,
    pub(crate) fragments: Vec<Held>,
}

impl Disk {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn folder(&self, identity: &Identity) -> PathBuf {
        // Names are of [a-zA-Z0-9_.-]; "." and ".." are such names too, and 256 characters are too long for a folder.
        let shown: String = identity.name.chars().take(150).collect();
        let folder = format!("stream-{shown}-{:016x}", number::mix(&identity.name, 0));
        self.root.join(&identity.account).join(folder)
    }

    pub(crate) fn save_stream(&self, stream: &Stream) -> io::Result<()> {
        let folder = self.folder(&stream.identity);
        std::fs::create_dir_all(&folder)?;
        let record = Record { identity: stream.identity.clone(), settings: stream.settings().clone() };
        write_whole(&folder.join(STREAM_FILE), &serde_json::to_vec_pretty(&record)?)
    }

    /// Removes what was kept of a stream. What others have put into its folder stays, and the folder with it.
    pub(crate) fn remove_stream(&self, stream: &Stream) -> io::Result<()> {
        let folder = self.folder(&stream.identity);
        let Contents { fragments, unfinished, foreign } = match Contents::of(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            contents => contents?,
        };
        let fragments = fragments.into_iter().map(|(_, file)| file);
        // The stream's own file last: fragments without it would become those of the next stream of that name.
        for file in fragments.chain(unfinished).chain([folder.join(STREAM_FILE)]) {
            remove_file(&file)?;
        }
        if foreign.is_empty() {
            return std::fs::remove_dir(&folder);
        }
        left_alone(&folder, &foreign);
        Ok(())
    }

    pub(crate) fn save_fragment(&self, identity: &Identity, held: &Held) -> io::Result<()> {
        write_whole(&self.folder(identity).join(held.file_name()), &held.pieces(held.server_millis).concat())
    }

    /// Removes a fragment that retention has dropped.
    pub(crate) fn remove_fragment(&self, identity: &Identity, file_name: &str) -> io::Result<()> {
        remove_file(&self.folder(identity).join(file_name))
    }

    /// Everything that was kept; fragments that retention has dropped are removed. Whatever the simulator has not
    /// written is left alone, and named in a warning.
    ///
    /// # Errors
    /// When something that was kept cannot be read: a stream is there with what it held, or there is no start.
    pub(crate) fn load(&self, oldest_millis: impl Fn(u64) -> i64) -> io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        std::fs::create_dir_all(&self.root)?;
        for account in folders(&self.root)? {
            for folder in folders(&account)? {
                let Some(Record { identity, settings }) = read_record(&folder.join(STREAM_FILE))? else {
                    tracing::warn!(folder = %folder.display(), "holds no {STREAM_FILE}, so it is no stream, and is left alone");
                    continue;
                };
                if self.folder(&identity) != folder {
                    tracing::warn!(folder = %folder.display(), stream = %identity.name,
                        "is not the folder its stream is kept in, a copy perhaps, and is left alone");
                    continue;
                }
                let oldest = oldest_millis(settings.retention_hours);
                kept.push(Kept { identity, fragments: load_fragments(&folder, oldest)?, settings });
            }
        }
        Ok(kept)
    }
}

/// What is in a stream's folder besides its [`STREAM_FILE`].
#[derive(Default)]
struct Contents {
    /// Fragments by name, with when they were ingested.
    fragments: Vec<(i64, PathBuf)>,
    /// What the simulator began to write.
    unfinished: Vec<PathBuf>,
    /// What the simulator has not written: names.
    foreign: Vec<String>,
}

impl Contents {
    fn of(folder: &Path) -> io::Result<Self> {
        let mut contents = Self::default();
        for entry in std::fs::read_dir(folder).map_err(|error| in_path(folder, &error))? {
            let entry = entry.map_err(|error| in_path(folder, &error))?;
            let (path, name) = (entry.path(), entry.file_name());
            // A link is none of its own either.
            let is_file = entry.file_type().map_err(|error| in_path(&path, &error))?.is_file();
            match name.to_str().map(Own::of) {
                _ if name == STREAM_FILE => {}
                Some(Some(Own::Fragment { ingested_millis })) if is_file => {
                    contents.fragments.push((ingested_millis, path));
                }
                Some(Some(Own::Unfinished)) if is_file => contents.unfinished.push(path),
                _ => contents.foreign.push(name.to_string_lossy().into_owned()),
            }
        }
        contents.foreign.sort();
        Ok(contents)
    }
}

/// A name that the simulator gives.
#[derive(Debug, PartialEq, Eq)]
enum Own {
    Fragment { ingested_millis: i64 },
    Unfinished,
}

impl Own {
    /// `None`: the name is not the simulator's.
    fn of(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        let fragment = || {
            let (millis, number) = stem.split_once('-')?;
            let ingested_millis = millis.parse::<i64>().ok().filter(|parsed| parsed.to_string() == millis)?;
            number::is_of_the_service(&number.parse().ok()?).then_some(Self::Fragment { ingested_millis })
        };
        match extension {
            FRAGMENT => fragment(),
            UNFINISHED if name == UNFINISHED_STREAM => Some(Self::Unfinished),
            UNFINISHED => fragment().map(|_| Self::Unfinished),
            _ => None,
        }
    }
}

/// Says once what is not the simulator's own in a folder.
fn left_alone(folder: &Path, foreign: &[String]) {
    let named = foreign.iter().take(NAMED_MAX).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    tracing::warn!(folder = %folder.display(), count = foreign.len(),
        "holds what the simulator has not written, which is left alone: {named}");
}

fn remove_file(file: &Path) -> io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|error| in_path(file, &error)),
    }
}

fn in_path(path: &Path, reason: &impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {reason}", path.display()))
}

/// What is kept of a stream; `None`: there is no such file.
fn read_record(file: &Path) -> io::Result<Option<Record>> {
    let refused = |reason: &dyn std::fmt::Display| {
        let folder = file.parent().unwrap_or(file).display();
        in_path(file, &format!("{reason}; put the file in order, or move {folder} away to start without that stream"))
    };
    match files::read(file, files::SMALL_MAX_BYTES) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| refused(&error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(&error)),
    }
}

fn folders(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(root).map_err(|error| in_path(root, &error))? {
        let path = entry.map_err(|error| in_path(root, &error))?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn load_fragments(folder: &Path, oldest_millis: i64) -> io::Result<Vec<Held>> {
    let Contents { fragments, unfinished, mut foreign } = Contents::of(folder)?;
    unfinished.iter().try_for_each(|file| remove_file(file))?;
    let mut loaded = Vec::new();
    for (ingested_millis, file) in fragments {
        if ingested_millis < oldest_millis {
            remove_file(&file)?;
            continue;
        }
        let bytes = files::read(&file, files::MEDIA_MAX_BYTES).map_err(|error| in_path(&file, &error))?;
        match load_fragment(&Bytes::from(bytes), ingested_millis) {
            Some(held) => loaded.push(held),
            None => foreign.extend(file.file_name().map(|name| name.to_string_lossy().into_owned())),
        }
    }
    if !foreign.is_empty() {
        left_alone(folder, &foreign);
    }
    loaded.sort_by(|one, other| one.number.cmp(&other.number));
    Ok(loaded)
}

fn load_fragment(bytes: &Bytes, ingested_millis: i64) -> Option<Held> {
    let media = Media::from_recording(bytes).ok()??;
    let template = Arc::clone(media.chunks.first()?);
    let recorded = template.recorded.as_ref()?;
    Some(Held {
        number: recorded.number.clone(),
        token: recorded.token.clone(),
        server_millis: recorded.server_millis,
        producer_millis: recorded.producer_millis,
        takes_millis: crate::clock::millis(template.takes),
        ingested_millis,
        behind: Behind::Live,
        value: number::from_number(&recorded.number),
        as_recorded: false,
        digest: OnceLock::new(),
        template,
    })
}

/// Writes a file so that it is there whole or not at all.
fn write_whole(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = file.with_extension(UNFINISHED);
    let mut written = std::fs::File::create(&unfinished)?;
    io::Write::write_all(&mut written, bytes)?;
    written.sync_data()?;
    std::fs::rename(unfinished, file)
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
