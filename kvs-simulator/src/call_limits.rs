//! The service's limits of calls, counted by stream and by account.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kvs_api::Operation;

use crate::limits::Limits;

/// The maximum number of entries before idle ones are removed.
const ENTRIES_MAX: usize = 10_000;
const WINDOW: Duration = Duration::from_secs(1);

/// The key of a count: an operation, an account and, for the limit per stream, a stream.
type Counted = (Operation, String, Option<String>);

/// The limits on calls, with the calls of the last second.
#[derive(Debug)]
pub(crate) struct CallLimits {
    limits: Limits,
    recent: Mutex<HashMap<Counted, Vec<Instant>>>,
}

impl CallLimits {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, recent: Mutex::default() }
    }

    /// Counts a call and returns `true` if it is within the limits.
    pub(crate) fn admit(&self, operation: Operation, account: &str, stream: Option<&str>) -> bool {
        if !self.limits.calls {
            return true;
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if recent.len() > ENTRIES_MAX {
            recent.retain(|_, calls| calls.last().is_some_and(|&last| now.duration_since(last) < WINDOW));
        }
        let per_stream = match operation {
            Operation::GetMedia => self.limits.get_media_calls_per_second,
            _ => self.limits.stream_calls_per_second,
        };
        let by_stream = stream.map(|stream| (Some(stream.to_owned()), per_stream));
        let by_account = account_calls_per_second(operation).map(|limit| (None, limit));
        let keys: Vec<_> = by_stream
            .into_iter()
            .chain(by_account)
            .map(|(stream, limit)| ((operation, account.to_owned(), stream), limit))
            .collect();
        let within = keys.iter().all(|(key, limit)| {
            let calls = recent.entry(key.clone()).or_default();
            calls.retain(|&call| now.duration_since(call) < WINDOW);
            calls.len() < *limit
        });
        if within {
            for (key, _) in keys {
                recent.entry(key).or_default().push(now);
            }
        }
        within
    }
}

/// Returns the limit of an operation's calls per second and account (AWS developer guide, quotas), if it has one.
fn account_calls_per_second(operation: Operation) -> Option<usize> {
    match operation {
        Operation::DescribeStream | Operation::GetDataEndpoint => Some(300),
        Operation::GetMedia | Operation::PutMedia | Operation::ListFragments | Operation::GetMediaForFragmentList => {
            None
        }
        _ => Some(50),
    }
}
