//! Streams that outlive the simulator: one folder a stream, one file a fragment.
//!
//! **Contract.** A fragment is on disk, under its last name, before it is acknowledged as PERSISTED. What is not whole
//! has another name and is removed at the next start.
//!
//! - `DIR/ACCOUNT/stream-NAME-HASH/stream.json`
//! - `DIR/ACCOUNT/stream-NAME-HASH/INGESTED_MILLIS-FRAGMENT_NUMBER.mkv`: the chunk as GetMedia sends it

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::number;
use crate::source::Media;
use crate::stream::{Behind, Held, Identity, Settings, Stream};

const STREAM_FILE: &str = "stream.json";
const UNFINISHED: &str = "unfinished";

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

    pub(crate) fn remove_stream(&self, stream: &Stream) -> io::Result<()> {
        let removed = std::fs::remove_dir_all(self.folder(&stream.identity));
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    pub(crate) fn save_fragment(&self, identity: &Identity, held: &Held) -> io::Result<()> {
        write_whole(&self.folder(identity).join(held.file_name()), &held.pieces(held.server_millis).concat())
    }

    /// Removes a fragment that retention has dropped.
    pub(crate) fn remove_fragment(&self, identity: &Identity, file_name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.folder(identity).join(file_name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Everything that was kept; fragments that retention has dropped are removed.
    pub(crate) fn load(&self, oldest_millis: impl Fn(u64) -> i64) -> io::Result<Vec<Kept>> {
        let mut kept = Vec::new();
        std::fs::create_dir_all(&self.root)?;
        for account in folders(&self.root)? {
            for folder in folders(&account)? {
                let Ok(record) = std::fs::read(folder.join(STREAM_FILE)) else { continue };
                let Record { identity, settings } = serde_json::from_slice(&record)?;
                let oldest = oldest_millis(settings.retention_hours);
                kept.push(Kept { identity, fragments: load_fragments(&folder, oldest)?, settings });
            }
        }
        Ok(kept)
    }
}

fn folders(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root)?.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

fn load_fragments(folder: &Path, oldest_millis: i64) -> io::Result<Vec<Held>> {
    let mut fragments = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let ingested_millis = stem.split_once('-').and_then(|(millis, _)| millis.parse::<i64>().ok());
        match (path.extension().and_then(|extension| extension.to_str()), ingested_millis) {
            (Some("mkv"), Some(millis)) if millis >= oldest_millis => {
                let bytes = Bytes::from(std::fs::read(&path)?);
                match load_fragment(&bytes, millis) {
                    Some(held) => fragments.push(held),
                    None => tracing::warn!(file = %path.display(), "is no fragment and is left alone"),
                }
            }
            (Some("mkv"), Some(_)) | (Some(UNFINISHED), _) => std::fs::remove_file(&path)?,
            _ => {}
        }
    }
    fragments.sort_by(|one, other| one.number.cmp(&other.number));
    Ok(fragments)
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
