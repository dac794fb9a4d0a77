//! A stream: what it is, what it holds, and what comes to it as time goes on.

pub(crate) mod held;
pub(crate) mod playback;

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
use crate::number;
use crate::source::{NotWhole, Template};

pub(crate) use held::{Behind, Held};
pub(crate) use playback::Playback;

/// So many fragments are made before others have their turn.
const AT_ONCE: usize = 500;

/// A stream of an account.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) identity: Identity,
    pub(crate) get_media_connections: Arc<Semaphore>,
    pub(crate) archive_connections: Arc<Semaphore>,
    /// Cancelled when the stream is deleted.
    pub(crate) deleted: CancellationToken,
    settings: Mutex<Settings>,
    playback: Playback,
    contents: Mutex<Contents>,
    /// Counts what producers have sent, so that readers hear of it.
    arrivals: watch::Sender<u64>,
    clock: Clock,
    limits: Limits,
}

/// What a stream is for as long as it exists.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) account: String,
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) created_millis: i64,
}

/// What can be changed of a stream.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// How often it was changed.
    pub(crate) changes: u64,
    pub(crate) retention_hours: u64,
    pub(crate) media_type: Option<String>,
    pub(crate) device_name: Option<String>,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Streams that were kept by an earlier version have none: it is the default.
    #[serde(default)]
    pub(crate) storage: Storage,
}

/// How a stream's data is stored; the request's `StreamStorageConfiguration`. Nothing here depends on it.
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
    /// Index of the first fragment that is held.
    base: usize,
    held: VecDeque<Arc<Held>>,
    /// The latest of all, whether it is still held or not.
    latest: Option<Arc<Held>>,
    /// How many fragments of the file have been played.
    played: u64,
    /// Bytes that producers have sent and that are held.
    sent_bytes: usize,
    /// Files of producers' fragments that are held no longer.
    expired: Vec<String>,
}

/// What a reader gets when it asks for the next fragment.
pub(crate) enum Next {
    /// A fragment, and its index: of those that have expired meanwhile none comes.
    Fragment { index: usize, held: Arc<Held>, latest_millis: i64 },
    /// One comes at that time.
    At(Instant),
    /// None of the file comes any more; a producer may send one.
    Never,
}

/// What a stream holds at one moment.
pub(crate) struct Snapshot {
    /// Index of the first.
    pub(crate) base: usize,
    /// In the order of the stream.
    pub(crate) held: Vec<Arc<Held>>,
}

/// A fragment of a producer's, with what is known of it.
pub(crate) struct Arrival {
    pub(crate) produced: ProducedFragment,
    pub(crate) server_millis: i64,
    pub(crate) producer_millis: i64,
    /// Whether it is the first of its session.
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
        // Nothing panics while it is held, and its parts are changed one by one.
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version that a change has to name.
    pub(crate) fn version(&self) -> String {
        format!("{:016x}", number::mix(&self.identity.name, self.settings().changes))
    }

    /// No more of its file is played. What was due by now is held.
    pub(crate) fn end_playback(&self) {
        self.snapshot();
        self.playback.end();
    }

    pub(crate) fn not_whole(&self) -> &[NotWhole] {
        self.playback.not_whole()
    }

    /// Changes when a producer's fragment comes.
    pub(crate) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// The fragment at `index`, or the first behind it that is still held, ingesting what is due.
    pub(crate) fn next(&self, index: usize) -> Next {
        let mut contents = self.contents();
        self.ingest(&mut contents, index);
        let index = index.max(contents.base);
        match contents.held.get(index - contents.base) {
            Some(held) => {
                let latest_millis = contents.held.back().map_or(0, |latest| latest.server_millis);
                Next::Fragment { index, held: Arc::clone(held), latest_millis }
            }
            None => self.playback.due(contents.played).map_or(Next::Never, Next::At),
        }
    }

    /// Everything that is held.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut contents = self.contents();
        self.ingest(&mut contents, self.wanted());
        Snapshot { base: contents.base, held: contents.held.iter().cloned().collect() }
    }

    /// Takes a producer's fragment in. Readers hear of it when [`Self::announce`] is called.
    pub(crate) fn take(&self, arrival: Arrival) -> Option<Arc<Held>> {
        let mut contents = self.contents();
        self.ingest(&mut contents, 0);
        let before = contents.latest.clone();
        let step = if arrival.first { number::SESSION_COUNTER_STEP } else { 1 };
        let before = before.as_ref().map(|before| &before.value);
        let (number, value) =
            number::following(before, step, arrival.server_millis, self.clock.now_millis(), &self.identity.name)?;
        let takes_millis = i64::try_from(arrival.produced.document.duration_ns() / 1_000_000).unwrap_or(i64::MAX);
        let ProducedFragment { head, tags, cluster, .. } = arrival.produced;
        let parts = [Bytes::from([head, tags].concat()), Bytes::from(cluster), Bytes::new()];
        let held = Arc::new(Held {
            token: number.as_str().to_owned(),
            number,
            server_millis: arrival.server_millis,
            producer_millis: arrival.producer_millis,
            takes_millis,
            ingested_millis: self.clock.now_millis(),
            behind: Behind::Live,
            value,
            template: Arc::new(Template::sent(parts)),
            as_recorded: false,
            digest: OnceLock::new(),
        });
        self.hold(&mut contents, Arc::clone(&held));
        drop(contents);
        self.arrivals.send_modify(|count| *count += 1);
        Some(held)
    }

    /// Files of fragments that are held no longer; each is told once.
    pub(crate) fn take_expired(&self) -> Vec<String> {
        std::mem::take(&mut self.contents().expired)
    }

    /// Puts back what was kept on disk.
    pub(crate) fn restore(&self, held: Held) {
        self.hold(&mut self.contents(), Arc::new(held));
    }

    fn hold(&self, contents: &mut Contents, held: Arc<Held>) {
        contents.sent_bytes += held.template.size_bytes();
        contents.latest = Some(Arc::clone(&held));
        contents.held.push_back(held);
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        // Nothing panics while it is held, and its parts are changed one by one.
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        self.expire(&mut contents);
        contents
    }

    /// Drops what is older than the retention, or, without one, what the host's buffer does not keep (AWS API
    /// reference, CreateStream, DataRetentionInHours).
    fn expire(&self, contents: &mut Contents) {
        let hours = self.settings().retention_hours;
        let (kept_millis, kept_bytes) = match hours {
            0 => (self.limits.buffer_millis(), self.limits.buffer_size_bytes),
            _ => (self.limits.retention_millis(hours), self.limits.stream_size_bytes),
        };
        let oldest = self.clock.now_millis().saturating_sub(kept_millis);
        while let Some(first) = contents.held.front() {
            let too_many = contents.sent_bytes > kept_bytes && contents.held.len() > 1;
            if first.ingested_millis >= oldest && !too_many {
                return;
            }
            drop_first(contents);
        }
    }

    /// Takes in what is due of the file; of one that is played on demand up to the index `wanted` only.
    fn ingest(&self, contents: &mut Contents, wanted: usize) {
        while !self.ingest_some(contents, wanted, usize::MAX) {}
    }

    /// Takes in what is due of the file, so many fragments at most; whether that was all.
    fn ingest_some(&self, contents: &mut Contents, wanted: usize, most: usize) -> bool {
        let now = Instant::now();
        if let Some(played) = self.playback.skip_to(contents.played, self.limits.stream_fragments, now) {
            while !contents.held.is_empty() {
                drop_first(contents);
            }
            let skipped = usize::try_from(played - contents.played).unwrap_or(usize::MAX);
            contents.base = contents.base.saturating_add(skipped);
            contents.played = played;
        }
        for _ in 0..most {
            let end = contents.base + contents.held.len();
            let due = self.playback.due(contents.played).is_some_and(|due| due <= now);
            if !due || (self.playback.on_demand() && end > wanted) {
                return true;
            }
            let held = self.playback.make(contents.played, contents.latest.as_ref(), self.clock);
            let Some(held) = held.map(Arc::new) else {
                // There is no number behind the highest.
                self.playback.end();
                return true;
            };
            contents.played += 1;
            contents.latest = Some(Arc::clone(&held));
            contents.held.push_back(held);
            if contents.held.len() > self.limits.stream_fragments {
                drop_first(contents);
            }
        }
        false
    }

    /// Takes in what is due, giving way to others now and then: for whoever would otherwise do all of that at once.
    pub(crate) async fn catch_up(&self) {
        let wanted = self.wanted();
        while !self.ingest_some(&mut self.contents(), wanted, AT_ONCE) {
            tokio::task::yield_now().await;
        }
    }

    /// Up to which index fragments are made for those who ask for all.
    fn wanted(&self) -> usize {
        if self.playback.on_demand() { 0 } else { usize::MAX }
    }

    /// The held fragments of these numbers, in the order asked for; of those that are not there none.
    pub(crate) fn by_numbers(&self, numbers: &[FragmentNumber]) -> Vec<Arc<Held>> {
        let held = self.snapshot().held;
        numbers
            .iter()
            .filter_map(|number| {
                let place = held.binary_search_by(|held| held.number.cmp(number)).ok()?;
                Some(Arc::clone(&held[place]))
            })
            .collect()
    }
}

/// Drops the oldest fragment.
fn drop_first(contents: &mut Contents) {
    let Some(first) = contents.held.pop_front() else { return };
    contents.base += 1;
    if first.behind == Behind::Live {
        contents.sent_bytes = contents.sent_bytes.saturating_sub(first.template.size_bytes());
        contents.expired.push(first.file_name());
    }
}
