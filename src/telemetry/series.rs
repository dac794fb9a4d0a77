//! Series that go with what they are about.
//!
//! **Contract.** The exporter can only let series expire that nobody has touched for [`EXPIRES_AFTER`]. So every counter
//! and gauge that has been registered is touched at each [`Series::keep`]; those with the label `stream` only while the
//! stream is this worker's. What is quiet and still here stays, with its value; what has gone to another worker, or is no
//! more, is gone within a minute or two, and takes no memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// A series that is not touched for this long is removed: several rounds of upkeep.
pub(super) const EXPIRES_AFTER: Duration = Duration::from_secs(30);

/// Whose a series is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Owner {
    /// The worker's: its labels are of a fixed set.
    Worker,
    /// A stream's, by the labels `connector` and `stream`.
    Stream(String, String),
}

#[derive(Default)]
struct Handles {
    counters: HashMap<Key, Counter>,
    gauges: HashMap<Key, Gauge>,
}

/// The series that have been registered and are kept.
#[derive(Clone, Default)]
pub(super) struct Series(Arc<Mutex<HashMap<Owner, Handles>>>);

impl Series {
    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, Handles>> {
        // Nothing panics while it is held, and a map is never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handles<T: Clone>(&self, key: &Key, of: impl FnOnce(&mut Handles) -> &mut HashMap<Key, T>, handle: &T) {
        let mut owners = self.lock();
        let handles = of(owners.entry(owner(key)).or_default());
        // The newest one: an earlier one may be of a series that has expired.
        handles.insert(key.clone(), handle.clone());
    }

    /// Touches what is to be kept and forgets the series of streams that `is_here` does not have.
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

/// Registers series with another recorder, and keeps hold of them.
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
        // No histogram has a label of a stream.
        self.inner.register_histogram(key, metadata)
    }
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;
