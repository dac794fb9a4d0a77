//! A stream: its identity, its settings, the fragments it holds, and the ones that arrive as time passes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use kvs_mkv::{FragmentNumber, ProducedFragment};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::limits::Limits;

use super::fragment::{MillisBehindNow, StoredFragment};
use super::media::{Template, Unterminated};
use super::number;
use super::playback::Playback;

/// The maximum number of fragments made before other tasks get a turn.
const BATCH_FRAGMENTS_MAX: usize = 500;

/// A stream of an account.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) identity: Identity,
    /// Permits for sessions of GetMedia.
    pub(crate) get_media_connections: Arc<Semaphore>,
    /// Permits for sessions of GetMediaForFragmentList.
    pub(crate) archive_connections: Arc<Semaphore>,
    /// Cancelled when the stream is deleted.
    pub(crate) deleted: CancellationToken,
    settings: Mutex<Settings>,
    playback: Playback,
    contents: Mutex<Contents>,
    /// Number of fragments that producers have sent; wakes readers.
    arrivals: watch::Sender<u64>,
    clock: Clock,
    limits: Limits,
}

/// The immutable part of a stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) created_millis: i64,
}

/// The settings of a stream, which can be changed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Number of changes so far; the stream's version follows from it.
    pub(crate) changes: u64,
    pub(crate) retention_hours: u64,
    pub(crate) media_type: Option<String>,
    pub(crate) device_name: Option<String>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Streams saved by an earlier version have none and get the default.
    #[serde(default)]
    pub(crate) storage: Storage,
}

/// Storage tier of a stream's data, as in the API's `StreamStorageConfiguration`. The simulator only remembers it.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Storage {
    default_storage_tier: StorageTier,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum StorageTier {
    #[default]
    Hot,
    Warm,
}

#[derive(Debug, Default)]
struct Contents {
    /// Index of the first fragment held.
    base: usize,
    fragments: VecDeque<Arc<StoredFragment>>,
    /// The latest fragment of all, whether it is still held or not.
    latest: Option<Arc<StoredFragment>>,
    /// Number of the file's fragments that have been played.
    played: u64,
    /// Bytes of the producers' fragments held.
    sent_bytes: usize,
    /// Names of the files of producers' fragments that are no longer held.
    expired: Vec<String>,
}

/// The result of asking for the next fragment.
pub(crate) enum Next {
    /// A fragment with its index, which is higher than asked for if fragments have expired meanwhile.
    Fragment { index: usize, fragment: Arc<StoredFragment>, latest_millis: i64 },
    /// The file's next fragment is due at this time.
    At(Instant),
    /// The file has no more fragments; a producer may still send one.
    Never,
}

/// The fragments that a stream holds at one moment.
pub(crate) struct Snapshot {
    /// Index of the first fragment.
    pub(crate) base: usize,
    /// The fragments, in stream order.
    pub(crate) fragments: Vec<Arc<StoredFragment>>,
}

/// A fragment that a producer has sent.
pub(crate) struct Arrival {
    pub(crate) produced: ProducedFragment,
    pub(crate) server_millis: i64,
    pub(crate) producer_millis: i64,
    /// Whether it is the first fragment of its session.
    pub(crate) first: bool,
}

impl Stream {
    pub(crate) fn new(
        identity: Identity,
        settings: Settings,
        playback: Playback,
        clock: Clock,
        limits: &Limits,
    ) -> Self {
        Self {
            identity,
            get_media_connections: Arc::new(Semaphore::new(limits.get_media_connections)),
            archive_connections: Arc::new(Semaphore::new(limits.archive_connections)),
            deleted: CancellationToken::new(),
            settings: Mutex::new(settings),
            playback,
            contents: Mutex::default(),
            arrivals: watch::Sender::new(0),
            clock,
            limits: *limits,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.identity.name
    }

    pub(crate) fn settings(&self) -> MutexGuard<'_, Settings> {
        // Nothing panics while the lock is held, and its parts change one by one.
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the version that a request for a change has to name.
    pub(crate) fn version(&self) -> String {
        format!("{:016x}", number::mix(&self.identity.name, self.settings().changes))
    }

    /// Ends playing the file. Fragments due by now are still ingested.
    pub(crate) fn end_playback(&self) {
        self.snapshot();
        self.playback.end();
    }

    pub(crate) fn unterminated(&self) -> &[Unterminated] {
        self.playback.unterminated()
    }

    /// Returns a receiver that is notified of each fragment a producer sends.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// Ingests what is due, then returns the fragment at `index`, or the first after it that is still held.
    pub(crate) fn next(&self, index: usize) -> Next {
        let mut contents = self.contents();
        self.ingest_due(&mut contents, index);
        let index = index.max(contents.base);
        match contents.fragments.get(index - contents.base) {
            Some(fragment) => {
                let latest_millis = contents.fragments.back().map_or(0, |latest| latest.server_millis);
                Next::Fragment { index, fragment: Arc::clone(fragment), latest_millis }
            }
            None => self.playback.due(contents.played).map_or(Next::Never, Next::At),
        }
    }

    /// Ingests what is due, then returns all fragments held.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut contents = self.contents();
        self.ingest_due(&mut contents, self.wanted());
        Snapshot { base: contents.base, fragments: contents.fragments.iter().cloned().collect() }
    }

    /// Ingests a producer's fragment and wakes readers. Returns `None` if there is no fragment number left for it.
    pub(crate) fn ingest(&self, arrival: Arrival) -> Option<Arc<StoredFragment>> {
        let mut contents = self.contents();
        self.ingest_due(&mut contents, 0);
        let before = contents.latest.clone();
        let step = if arrival.first { number::SESSION_COUNTER_STEP } else { 1 };
        let before = before.as_ref().map(|before| &before.value);
        let (number, value) =
            number::following(before, step, arrival.server_millis, self.clock.now_millis(), &self.identity.name)?;
        let duration_millis = i64::try_from(arrival.produced.document.duration_ns() / 1_000_000).unwrap_or(i64::MAX);
        let ProducedFragment { head, tags, cluster, .. } = arrival.produced;
        let parts = [Bytes::from([head, tags].concat()), Bytes::from(cluster), Bytes::new()];
        let fragment = Arc::new(StoredFragment {
            token: number.as_str().to_owned(),
            number,
            server_millis: arrival.server_millis,
            producer_millis: arrival.producer_millis,
            duration_millis,
            ingested_millis: self.clock.now_millis(),
            behind: MillisBehindNow::Live,
            value,
            template: Arc::new(Template::sent(parts)),
            as_recorded: false,
            digest: OnceLock::new(),
        });
        self.hold(&mut contents, Arc::clone(&fragment));
        drop(contents);
        self.arrivals.send_modify(|count| *count += 1);
        Some(fragment)
    }

    /// Returns the names of files whose fragments are no longer held, each once.
    pub(crate) fn take_expired(&self) -> Vec<String> {
        std::mem::take(&mut self.contents().expired)
    }

    /// Restores a fragment from disk.
    pub(crate) fn restore(&self, fragment: StoredFragment) {
        self.hold(&mut self.contents(), Arc::new(fragment));
    }

    fn hold(&self, contents: &mut Contents, fragment: Arc<StoredFragment>) {
        contents.sent_bytes += fragment.template.size_bytes();
        contents.latest = Some(Arc::clone(&fragment));
        contents.fragments.push_back(fragment);
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        // Nothing panics while the lock is held, and its parts change one by one.
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        self.expire(&mut contents);
        contents
    }

    /// Drops fragments older than the retention period or, without one, those that the service's buffer would not keep (AWS
    /// API reference, CreateStream, DataRetentionInHours).
    fn expire(&self, contents: &mut Contents) {
        let hours = self.settings().retention_hours;
        let (kept_millis, kept_bytes) = match hours {
            0 => (self.limits.buffer_millis(), self.limits.buffer_size_bytes),
            _ => (self.limits.retention_millis(hours), self.limits.stream_size_bytes),
        };
        let oldest = self.clock.now_millis().saturating_sub(kept_millis);
        while let Some(first) = contents.fragments.front() {
            let too_many = contents.sent_bytes > kept_bytes && contents.fragments.len() > 1;
            if first.ingested_millis >= oldest && !too_many {
                return;
            }
            drop_first(contents);
        }
    }

    /// Ingests the file's fragments that are due; if they are made on demand, only those up to the index `wanted`.
    fn ingest_due(&self, contents: &mut Contents, wanted: usize) {
        while !self.ingest_batch(contents, wanted, usize::MAX) {}
    }

    /// Ingests at most `fragments_max` of the fragments that are due. Returns whether those were all.
    fn ingest_batch(&self, contents: &mut Contents, wanted: usize, fragments_max: usize) -> bool {
        let now = Instant::now();
        if let Some(played) = self.playback.skip_to(contents.played, self.limits.stream_fragments, now) {
            while !contents.fragments.is_empty() {
                drop_first(contents);
            }
            let skipped = usize::try_from(played - contents.played).unwrap_or(usize::MAX);
            contents.base = contents.base.saturating_add(skipped);
            contents.played = played;
        }
        for _ in 0..fragments_max {
            let end = contents.base + contents.fragments.len();
            let due = self.playback.due(contents.played).is_some_and(|due| due <= now);
            if !due || (self.playback.on_demand() && end > wanted) {
                return true;
            }
            let fragment = self.playback.make(contents.played, contents.latest.as_ref(), self.clock);
            let Some(fragment) = fragment.map(Arc::new) else {
                // The highest fragment number has been used.
                self.playback.end();
                return true;
            };
            contents.played += 1;
            contents.latest = Some(Arc::clone(&fragment));
            contents.fragments.push_back(fragment);
            if contents.fragments.len() > self.limits.stream_fragments {
                drop_first(contents);
            }
        }
        false
    }

    /// Ingests what is due and yields to other tasks between batches. Callers do this before they ask for fragments, which
    /// would otherwise ingest everything in one go.
    pub(crate) async fn catch_up(&self) {
        let wanted = self.wanted();
        while !self.ingest_batch(&mut self.contents(), wanted, BATCH_FRAGMENTS_MAX) {
            tokio::task::yield_now().await;
        }
    }

    /// Returns the index up to which fragments are made for a request for all of them.
    fn wanted(&self) -> usize {
        if self.playback.on_demand() { 0 } else { usize::MAX }
    }

    /// Returns the fragments held that have these numbers, in the order of the request.
    pub(crate) fn by_numbers(&self, numbers: &[FragmentNumber]) -> Vec<Arc<StoredFragment>> {
        let fragments = self.snapshot().fragments;
        numbers
            .iter()
            .filter_map(|number| {
                let index = fragments.binary_search_by(|fragment| fragment.number.cmp(number)).ok()?;
                Some(Arc::clone(&fragments[index]))
            })
            .collect()
    }
}

/// Drops the oldest fragment held.
fn drop_first(contents: &mut Contents) {
    let Some(first) = contents.fragments.pop_front() else { return };
    contents.base += 1;
    if first.behind == MillisBehindNow::Live {
        contents.sent_bytes = contents.sent_bytes.saturating_sub(first.template.size_bytes());
        contents.expired.push(first.file_name());
    }
}
