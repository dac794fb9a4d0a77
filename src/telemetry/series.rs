//! Series that are removed together with their streams.
//!
//! **Contract.** The exporter can only expire series that have not been touched for [`EXPIRES_AFTER`]. So every registered counter
//! and gauge is touched at each [`Series::keep`]; those with the label `stream` only while the stream belongs to this
//! worker. A series that is quiet but still here keeps its value; one whose stream has moved to another worker, or no
//! longer exists, disappears within a minute or two, and takes no memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// The time after which an untouched series is removed: several rounds of upkeep.
pub(super) const EXPIRES_AFTER: Duration = Duration::from_secs(30);

/// The owner of a series.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    /// The worker: its labels are a fixed set.
    Worker,
    /// A stream, by the labels `connector` and `stream`.
    Stream(String, String),
}

#[derive(Default)]
struct Handles {
    counters: HashMap<Key, Counter>,
    gauges: HashMap<Key, Gauge>,
}

/// The registered series that are kept.
#[derive(Clone, Default)]
pub(super) struct Series(Arc<Mutex<HashMap<Owner, Handles>>>);

impl Series {
    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, Handles>> {
        // Nothing panics while the lock is held, and a map is never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handles<T: Clone>(&self, key: &Key, of: impl FnOnce(&mut Handles) -> &mut HashMap<Key, T>, handle: &T) {
        let mut owners = self.lock();
        let handles = of(owners.entry(owner(key)).or_default());
        // The newest handle: an earlier one may belong to an expired series.
        handles.insert(key.clone(), handle.clone());
    }

    /// Touches the series to keep, and forgets the series of streams for which `is_here` returns false.
    pub(super) fn keep(&self, is_here: impl Fn(&str, &str) -> bool) {
        self.lock().retain(|owner, handles| {
            let stays = match owner {
                Owner::Worker => true,
                Owner::Stream(connector, stream) => is_here(connector, stream),
            };
            if stays {
                handles.counters.values().for_each(|counter| counter.increment(0));
                handles.gauges.values().for_each(|gauge| gauge.increment(0.0));
            }
            stays
        });
    }
}

fn owner(key: &Key) -> Owner {
    let label = |name: &str| key.labels().find(|label| label.key() == name).map(|label| label.value().to_owned());
    match (label("connector"), label("stream")) {
        (Some(connector), Some(stream)) => Owner::Stream(connector, stream),
        _ => Owner::Worker,
    }
}

/// Registers series with another recorder, and keeps their handles.
pub(super) struct KeepingRecorder<R> {
    pub(super) inner: R,
    pub(super) series: Series,
}

impl<R: Recorder> Recorder for KeepingRecorder<R> {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.inner.describe_counter(key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.inner.describe_gauge(key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.inner.describe_histogram(key, unit, description);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        let counter = self.inner.register_counter(key, metadata);
        self.series.handles(key, |handles| &mut handles.counters, &counter);
        counter
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        let gauge = self.inner.register_gauge(key, metadata);
        self.series.handles(key, |handles| &mut handles.gauges, &gauge);
        gauge
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        // No histogram has a stream label.
        self.inner.register_histogram(key, metadata)
    }
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;
