//! Counting calls, as the service does: by stream and by account.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kvs_api::Operation;

use crate::limits::Limits;

/// What is counted: an operation, by account and, where it is about one, by stream.
type Counted = (Operation, String, Option<String>);

/// When the latest calls of a stream or an account came. Entries of those that have been silent are removed.
#[derive(Debug, Default)]
pub(crate) struct CallCounts(Mutex<HashMap<Counted, Vec<Instant>>>);

/// So many entries are kept before those that are silent are looked for.
const ENTRIES_MAX: usize = 10_000;
const WINDOW: Duration = Duration::from_secs(1);

impl CallCounts {
    /// Whether one more call is within the limits; if so it is counted.
    pub(crate) fn admit(&self, limits: &Limits, operation: Operation, account: &str, stream: Option<&str>) -> bool {
        if !limits.calls {
            return true;
        }
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if counts.len() > ENTRIES_MAX {
            counts.retain(|_, calls| calls.last().is_some_and(|&last| now.duration_since(last) < WINDOW));
        }
        let per_stream = match operation {
            Operation::GetMedia => limits.get_media_calls_per_second,
            _ => limits.stream_calls_per_second,
        };
        let by_stream = stream.map(|stream| (Some(stream.to_owned()), per_stream));
        let by_account = Limits::account_calls_per_second(operation).map(|limit| (None, limit));
        let keys: Vec<_> = by_stream
            .into_iter()
            .chain(by_account)
            .map(|(stream, limit)| ((operation, account.to_owned(), stream), limit))
            .collect();
        let within = keys.iter().all(|(key, limit)| {
            let calls = counts.entry(key.clone()).or_default();
            calls.retain(|&call| now.duration_since(call) < WINDOW);
            calls.len() < *limit
        });
        if within {
            for (key, _) in keys {
                counts.entry(key).or_default().push(now);
            }
        }
        within
    }
}
