//! The streams of all accounts, and their copy on disk if there is a data folder.

mod disk;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use crate::clock::Clock;
use crate::limits::Limits;
use crate::model::arn::{account_of, arn, name_of};
use crate::model::{Identity, Media, Pace, Playback, Repeat, Settings, StoredFragment, Stream};

pub use disk::DataError;
use disk::{Disk, SavedStream};

/// Retention of streams that are played from files, in hours.
const PLAYED_RETENTION_HOURS: u64 = 24;

/// Account and name of a stream.
type Key = (String, String);

/// All streams.
#[derive(Debug)]
pub(crate) struct Store {
    region: String,
    clock: Clock,
    limits: Limits,
    disk: Option<Disk>,
    streams: RwLock<BTreeMap<Key, Arc<Stream>>>,
}

/// Why a request's stream cannot be found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("Either StreamName or StreamARN must be specified.")]
    Unspecified,
    #[error("The caller is not authorized to perform this operation on {arn}.")]
    OtherAccount { arn: String },
    #[error("The requested stream {stream} is not found or not active.")]
    NotFound { stream: String },
}

/// Why a stream cannot be created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateError {
    #[error("The stream {name} already exists.")]
    Exists { name: String },
    #[error(transparent)]
    Data(#[from] DataError),
}

impl Store {
    /// Creates an empty store. Streams that [`Self::create`] makes are kept in `data` if there is such a folder.
    pub(crate) fn new(region: String, clock: Clock, limits: Limits, data: Option<PathBuf>) -> Self {
        Self { region, clock, limits, disk: data.map(Disk::new), streams: RwLock::default() }
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Restores the streams in the data folder.
    pub(crate) fn restore(&self) -> Result<(), DataError> {
        let Some(disk) = &self.disk else { return Ok(()) };
        let now = self.clock.now_millis();
        let saved = disk.load(|hours| match hours {
            0 => i64::MAX,
            _ => now.saturating_sub(self.limits.retention_millis(hours)),
        })?;
        for SavedStream { identity, settings, fragments } in saved {
            let (name, count) = (identity.name.clone(), fragments.len());
            let stream = Stream::new(identity, settings, self.no_playback(&name), self.clock, &self.limits);
            fragments.into_iter().for_each(|fragment| stream.restore(fragment));
            self.add(stream);
            tracing::info!(stream = %name, fragments = count, "stream restored from the data folder");
        }
        Ok(())
    }

    /// Creates a stream that producers fill, and saves it.
    pub(crate) fn create(&self, account: &str, name: &str, settings: Settings) -> Result<Arc<Stream>, CreateError> {
        let stream =
            Stream::new(self.identity(account, name), settings, self.no_playback(name), self.clock, &self.limits);
        let stream = self.add(stream).ok_or_else(|| CreateError::Exists { name: name.to_owned() })?;
        self.save(&stream)?;
        Ok(stream)
    }

    /// Creates a stream into which a file is played. Returns `None` if the account has a stream of that name.
    pub(crate) fn play(
        &self,
        account: &str,
        name: &str,
        media: Media,
        repeat: Repeat,
        pace: Pace,
    ) -> Option<Arc<Stream>> {
        let settings = Settings { retention_hours: PLAYED_RETENTION_HOURS, ..Settings::default() };
        let playback = Playback::new(name, media, repeat, pace, self.clock, self.limits.stream_fragments);
        self.add(Stream::new(self.identity(account, name), settings, playback, self.clock, &self.limits))
    }

    /// Deletes a stream, and its copy on disk. Sessions that read it end.
    pub(crate) fn delete(&self, stream: &Stream) -> Result<(), DataError> {
        self.streams.write().unwrap_or_else(PoisonError::into_inner).remove(&key_of(stream));
        stream.deleted.cancel();
        self.on_disk(|disk| disk.remove_stream(stream))
    }

    /// Saves a stream's settings on disk.
    pub(crate) fn save(&self, stream: &Stream) -> Result<(), DataError> {
        self.on_disk(|disk| disk.save_stream(stream))
    }

    /// Saves a producer's fragment on disk, and removes those that have expired.
    pub(crate) async fn save_fragment(
        self: &Arc<Self>,
        stream: &Arc<Stream>,
        fragment: &Arc<StoredFragment>,
    ) -> Result<(), DataError> {
        if self.disk.is_none() {
            return Ok(());
        }
        let (store, stream, fragment) = (Arc::clone(self), Arc::clone(stream), Arc::clone(fragment));
        #[expect(clippy::disallowed_methods, reason = "a panic is an error: the fragment is not acknowledged")]
        let saving = tokio::task::spawn_blocking(move || {
            store.on_disk(|disk| {
                disk.save_fragment(&stream.identity, &fragment)?;
                stream.take_expired().iter().try_for_each(|file| disk.remove_fragment(&stream.identity, file))
            })
        });
        saving.await.map_err(|source| DataError::Interrupted { source })?
    }

    /// Returns the streams of an account, sorted by name.
    pub(crate) fn of_account(&self, account: &str) -> Vec<Arc<Stream>> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        let from = (account.to_owned(), String::new());
        streams.range(from..).take_while(|((of, _), _)| of == account).map(|(_, stream)| Arc::clone(stream)).collect()
    }

    pub(crate) fn get(&self, account: &str, name: &str) -> Option<Arc<Stream>> {
        let key = (account.to_owned(), name.to_owned());
        self.streams.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// Returns the stream that a request of this account identifies by name, by ARN, or by both.
    pub(crate) fn find(
        &self,
        account: &str,
        name: Option<&str>,
        arn: Option<&str>,
    ) -> Result<Arc<Stream>, LookupError> {
        let found = match (name, arn) {
            (None, None) => return Err(LookupError::Unspecified),
            (_, Some(arn)) => {
                if account_of(arn).is_some_and(|other| other != account) {
                    return Err(LookupError::OtherAccount { arn: arn.to_owned() });
                }
                let named = name_of(arn).and_then(|name| self.get(account, name));
                named.filter(|stream| stream.identity.arn == arn && name.is_none_or(|name| name == stream.name()))
            }
            (Some(name), None) => self.get(account, name),
        };
        found.ok_or_else(|| LookupError::NotFound { stream: arn.or(name).unwrap_or_default().to_owned() })
    }

    /// Adds a stream, or returns `None` if the account has one of that name.
    fn add(&self, stream: Stream) -> Option<Arc<Stream>> {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        let key = key_of(&stream);
        if streams.contains_key(&key) {
            return None;
        }
        let stream = Arc::new(stream);
        streams.insert(key, Arc::clone(&stream));
        Some(stream)
    }

    fn identity(&self, account: &str, name: &str) -> Identity {
        let created_millis = self.clock.now_millis();
        let arn = arn(&self.region, account, name, created_millis);
        Identity { account: account.to_owned(), name: name.to_owned(), arn, created_millis }
    }

    /// Returns the playback of a stream that only producers fill.
    fn no_playback(&self, name: &str) -> Playback {
        Playback::new(name, Media::default(), Repeat::Times(1), Pace::Max, self.clock, 0)
    }

    fn on_disk(&self, work: impl FnOnce(&Disk) -> Result<(), DataError>) -> Result<(), DataError> {
        let Some(disk) = &self.disk else { return Ok(()) };
        work(disk).inspect_err(|error| tracing::error!(%error, "cannot write to the data folder"))
    }
}

fn key_of(stream: &Stream) -> Key {
    (stream.identity.account.clone(), stream.identity.name.clone())
}
