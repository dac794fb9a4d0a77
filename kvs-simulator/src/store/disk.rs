//! Streams that outlive the simulator: one folder per stream, one file per fragment.
//!
//! **Contract.** A fragment is on disk, under its final name, before it is acknowledged as PERSISTED. Files being written
//! have another name and are removed at the next start. Nothing is removed that the simulator has not written: it
//! recognizes its own names exactly.
//!
//! - `DIR/ACCOUNT/stream-NAME-HASH/stream.json`
//! - `DIR/ACCOUNT/stream-NAME-HASH/INGESTED_MILLIS-FRAGMENT_NUMBER.mkv`: the chunk as GetMedia sends it

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::files;
use crate::model::{Identity, Media, MillisBehindNow, Settings, StoredFragment, Stream, number};

const STREAM_FILE: &str = "stream.json";
const UNFINISHED_STREAM: &str = "stream.unfinished";
/// Extension of fragments.
const FRAGMENT: &str = "mkv";
/// Extension of files being written.
const UNFINISHED: &str = "unfinished";
/// The maximum number of foreign files that a warning lists per folder.
const LISTED_MAX: usize = 10;

/// Why the data folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder cannot be accessed.
    #[error("{path}: {source}")]
    Access {
        /// The file or folder.
        path: PathBuf,
        /// Why it cannot be accessed.
        source: io::Error,
    },
    /// The file with a stream's settings cannot be read, or is not valid.
    #[error("{file}: {source}; put the file in order, or move {folder} away to start without that stream")]
    Settings {
        /// The file.
        file: PathBuf,
        /// The stream's folder.
        folder: PathBuf,
        /// What is wrong with the file.
        source: io::Error,
    },
    /// A stream's settings cannot be written as JSON.
    #[error("the settings cannot be written: {source}")]
    Encode {
        /// Why they cannot be written.
        source: serde_json::Error,
    },
    /// The simulator ended before a file was written.
    #[error("{source}")]
    Interrupted {
        /// How the task that wrote the file ended.
        source: tokio::task::JoinError,
    },
}

impl DataError {
    /// Returns a function that adds a path to an I/O error.
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Access { path: path.to_owned(), source }
    }
}

/// The data folder.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    root: PathBuf,
}

/// The content of [`STREAM_FILE`].
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    identity: Identity,
    #[serde(flatten)]
    settings: Settings,
}

/// A stream read from disk.
pub(super) struct SavedStream {
    pub(super) identity: Identity,
    pub(super) settings: Settings,
    pub(super) fragments: Vec<StoredFragment>,
}

impl Disk {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn folder(&self, identity: &Identity) -> PathBuf {
        // Names consist of [a-zA-Z0-9_.-]; among them are "." and "..", and 256 characters are too long for a folder.
        let shown: String = identity.name.chars().take(150).collect();
        let folder = format!("stream-{shown}-{:016x}", number::mix(&identity.name, 0));
        self.root.join(&identity.account).join(folder)
    }

    pub(super) fn save_stream(&self, stream: &Stream) -> Result<(), DataError> {
        let folder = self.folder(&stream.identity);
        std::fs::create_dir_all(&folder).map_err(DataError::at(&folder))?;
        let record = Record { identity: stream.identity.clone(), settings: stream.settings().clone() };
        let json = serde_json::to_vec_pretty(&record).map_err(|source| DataError::Encode { source })?;
        write_atomically(&folder.join(STREAM_FILE), &json)
    }

    /// Removes the files of a stream. Foreign files stay, and the folder with them.
    pub(super) fn remove_stream(&self, stream: &Stream) -> Result<(), DataError> {
        let folder = self.folder(&stream.identity);
        let Contents { fragments, unfinished, foreign } = match Contents::of(&folder) {
            // A stream that is played from a file has no folder.
            Err(DataError::Access { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
            contents => contents?,
        };
        let fragments = fragments.into_iter().map(|(_, file)| file);
        // The stream's own file is removed last: without it, fragments left behind would become those of the next stream
        // of that name.
        for file in fragments.chain(unfinished).chain([folder.join(STREAM_FILE)]) {
            remove_file(&file)?;
        }
        if foreign.is_empty() {
            return std::fs::remove_dir(&folder).map_err(DataError::at(&folder));
        }
        warn_of_foreign(&folder, &foreign);
        Ok(())
    }

    pub(super) fn save_fragment(&self, identity: &Identity, fragment: &StoredFragment) -> Result<(), DataError> {
        let file = self.folder(identity).join(fragment.file_name());
        write_atomically(&file, &fragment.pieces(fragment.server_millis).concat())
    }

    /// Removes a fragment that retention has dropped.
    pub(super) fn remove_fragment(&self, identity: &Identity, file_name: &str) -> Result<(), DataError> {
        remove_file(&self.folder(identity).join(file_name))
    }

    /// Reads all streams, and removes fragments that retention has dropped: `oldest_millis` returns the earliest time of
    /// ingestion for a retention in hours. Foreign files are left alone and listed in a warning.
    ///
    /// # Errors
    /// Returns an error if a stream cannot be read: the simulator starts with everything a stream held, or not at all.
    pub(super) fn load(&self, oldest_millis: impl Fn(u64) -> i64) -> Result<Vec<SavedStream>, DataError> {
        let mut saved = Vec::new();
        std::fs::create_dir_all(&self.root).map_err(DataError::at(&self.root))?;
        for account in folders(&self.root)? {
            for folder in folders(&account)? {
                let Some(Record { identity, settings }) = read_record(&folder.join(STREAM_FILE))? else {
                    tracing::warn!(folder = %folder.display(), "folder left alone: it has no {STREAM_FILE}, so it is not a stream");
                    continue;
                };
                if self.folder(&identity) != folder {
                    tracing::warn!(folder = %folder.display(), stream = %identity.name,
                        "folder left alone: it is not the one that this stream is kept in, perhaps a copy");
                    continue;
                }
                let oldest = oldest_millis(settings.retention_hours);
                saved.push(SavedStream { identity, fragments: load_fragments(&folder, oldest)?, settings });
            }
        }
        Ok(saved)
    }
}

/// The content of a stream's folder besides its [`STREAM_FILE`].
#[derive(Default)]
struct Contents {
    /// Fragments with the time of their ingestion.
    fragments: Vec<(i64, PathBuf)>,
    /// Files whose writing was interrupted.
    unfinished: Vec<PathBuf>,
    /// Names that the simulator has not written.
    foreign: Vec<String>,
}

impl Contents {
    fn of(folder: &Path) -> Result<Self, DataError> {
        let mut contents = Self::default();
        for entry in std::fs::read_dir(folder).map_err(DataError::at(folder))? {
            let entry = entry.map_err(DataError::at(folder))?;
            let (path, name) = (entry.path(), entry.file_name());
            // A symbolic link is foreign, too.
            let is_file = entry.file_type().map_err(DataError::at(&path))?.is_file();
            match name.to_str().map(OwnName::of) {
                _ if name == STREAM_FILE => {}
                Some(Some(OwnName::Fragment { ingested_millis })) if is_file => {
                    contents.fragments.push((ingested_millis, path));
                }
                Some(Some(OwnName::Unfinished)) if is_file => contents.unfinished.push(path),
                _ => contents.foreign.push(name.to_string_lossy().into_owned()),
            }
        }
        contents.foreign.sort();
        Ok(contents)
    }
}

/// The form of a file name that the simulator writes.
#[derive(Debug, PartialEq, Eq)]
enum OwnName {
    Fragment { ingested_millis: i64 },
    Unfinished,
}

impl OwnName {
    /// Parses a name. Returns `None` if the simulator does not write such names.
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

/// Logs the foreign files of a folder.
fn warn_of_foreign(folder: &Path, foreign: &[String]) {
    let listed = foreign.iter().take(LISTED_MAX).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    tracing::warn!(folder = %folder.display(), count = foreign.len(),
        "files left alone that the simulator has not written: {listed}");
}

fn remove_file(file: &Path) -> Result<(), DataError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(DataError::at(file)),
    }
}

/// Reads a stream's settings. Returns `None` if there is no such file.
fn read_record(file: &Path) -> Result<Option<Record>, DataError> {
    let invalid = |source| DataError::Settings {
        file: file.to_owned(),
        folder: file.parent().unwrap_or(file).to_owned(),
        source,
    };
    match files::read(file, files::SMALL_MAX_BYTES) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| invalid(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(invalid(error)),
    }
}

fn folders(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(root).map_err(DataError::at(root))? {
        let path = entry.map_err(DataError::at(root))?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn load_fragments(folder: &Path, oldest_millis: i64) -> Result<Vec<StoredFragment>, DataError> {
    let Contents { fragments, unfinished, mut foreign } = Contents::of(folder)?;
    unfinished.iter().try_for_each(|file| remove_file(file))?;
    let mut loaded = Vec::new();
    for (ingested_millis, file) in fragments {
        if ingested_millis < oldest_millis {
            remove_file(&file)?;
            continue;
        }
        let bytes = files::read(&file, files::MEDIA_MAX_BYTES).map_err(DataError::at(&file))?;
        match load_fragment(&Bytes::from(bytes), ingested_millis) {
            Some(fragment) => loaded.push(fragment),
            None => foreign.extend(file.file_name().map(|name| name.to_string_lossy().into_owned())),
        }
    }
    if !foreign.is_empty() {
        warn_of_foreign(folder, &foreign);
    }
    loaded.sort_by(|one, other| one.number.cmp(&other.number));
    Ok(loaded)
}

fn load_fragment(bytes: &Bytes, ingested_millis: i64) -> Option<StoredFragment> {
    let media = Media::from_recording(bytes).ok()??;
    let template = Arc::clone(media.chunks.first()?);
    let recorded = template.recorded.as_ref()?;
    Some(StoredFragment {
        number: recorded.number.clone(),
        token: recorded.token.clone(),
        server_millis: recorded.server_millis,
        producer_millis: recorded.producer_millis,
        duration_millis: crate::clock::millis(template.duration),
        ingested_millis,
        behind: MillisBehindNow::Live,
        value: number::from_number(&recorded.number),
        as_recorded: false,
        digest: OnceLock::new(),
        template,
    })
}

/// Writes a file so that, under its name, it is either complete or absent.
fn write_atomically(file: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let unfinished = file.with_extension(UNFINISHED);
    let write = || {
        let mut written = std::fs::File::create(&unfinished)?;
        io::Write::write_all(&mut written, bytes)?;
        written.sync_data()?;
        std::fs::rename(&unfinished, file)
    };
    write().map_err(DataError::at(file))
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
