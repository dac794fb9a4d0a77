//! The topics that connectors have written to on this worker.
//!
//! **Contract.** A topic is noted by the commit of a record in it, and stays here until the status topic has it: a stream
//! that is paused, stopped or lost at that moment takes its own state with it, and may never be published again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Topics by connector; bounded by the number of topics that a connector may write to.
#[derive(Debug, Default)]
pub struct WrittenTopics(Mutex<BTreeMap<String, BTreeSet<Arc<str>>>>);

impl WrittenTopics {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<Arc<str>>>> {
        // Nothing panics while the lock is held, and a set is never half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a record of a connector has been committed in this topic.
    pub(super) fn note(&self, connector: &str, topic: &Arc<str>) {
        let mut all = self.lock();
        match all.get_mut(connector) {
            Some(topics) if topics.contains(topic) => {}
            Some(topics) => _ = topics.insert(Arc::clone(topic)),
            None => _ = all.insert(connector.to_owned(), BTreeSet::from([Arc::clone(topic)])),
        }
    }

    /// Returns the topics that are not reported yet, with their connectors. Drops those for which `is_over` returns
    /// `true`: they have been reported, or their connector is gone.
    pub fn unreported(&self, is_over: impl Fn(&str, &str) -> bool) -> Vec<(String, Arc<str>)> {
        let mut all = self.lock();
        for (connector, topics) in &mut *all {
            topics.retain(|topic| !is_over(connector, topic));
        }
        all.retain(|_, topics| !topics.is_empty());
        let each = all.iter().flat_map(|(connector, topics)| topics.iter().map(move |topic| (connector, topic)));
        each.map(|(connector, topic)| (connector.clone(), Arc::clone(topic))).collect()
    }
}

#[cfg(test)]
#[path = "written_topics_tests.rs"]
mod tests;
