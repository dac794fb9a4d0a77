//! Topics whose records are dropped for a while after they refused one, so that no fragment waits for such a record.
//!
//! **Contract.** Only records of outputs with [`OnRefused::Drop`](crate::model::OnRefused) are dropped. After a refusal
//! nothing is written to the topic for a pause, which doubles with each further refusal; then one record is tried.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{OffsetKey, OutputId, Publication, Record, ShardLog};
use crate::telemetry;

/// The pause after a topic's first refusal.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// The topics of a shard that refuse records which may be dropped.
#[derive(Debug, Default)]
pub(super) struct RefusedTopics(HashMap<Arc<str>, Refused>);

#[derive(Debug)]
struct Refused {
    until: Instant,
    pause: Duration,
    dropped: u64,
}

impl RefusedTopics {
    /// Records that topics have refused a record, and with it a transaction. Records that accompany a fragment come
    /// again with it; `lost` has the streams whose records accompany none, and so are dropped with this transaction.
    pub(super) fn refused(&mut self, topics: &BTreeSet<(OutputId, Arc<str>)>, reason: &str, lost: &[Arc<OffsetKey>]) {
        lost.iter().for_each(|key| telemetry::notifications_dropped(key, 1));
        for (output, topic) in topics {
            let before = self.0.remove(topic);
            let pause = before.as_ref().map_or(FIRST_PAUSE, |before| (before.pause * 2).min(PAUSE_MAX));
            let dropped = before.map_or(0, |before| before.dropped).saturating_add(lost.len() as u64);
            tracing::warn!(
                topic = &**topic,
                reason,
                pause_s = pause.as_secs(),
                "{output} cannot be written and are dropped during the pause: create the topic, or grant Write on it"
            );
            self.0.insert(Arc::clone(topic), Refused { until: Instant::now() + pause, pause, dropped });
        }
    }

    /// Removes records from a publication that may be dropped and cannot be written now.
    pub(super) fn drop_unwritable(&mut self, publication: &mut Publication, log: &impl ShardLog) {
        if !publication.all_records().any(Record::may_be_dropped) {
            return;
        }
        let now = Instant::now();
        let key = Arc::clone(&publication.key);
        let mut stays = |record: &Record| {
            if !record.may_be_dropped() {
                return true;
            }
            let unavailable = log.unavailable(&record.topic, record.partition);
            let refused = self.0.get_mut(&record.topic).filter(|refused| now < refused.until);
            if unavailable.is_none() && refused.is_none() {
                return true;
            }
            if let Some(refused) = refused {
                refused.dropped = refused.dropped.saturating_add(1);
            }
            telemetry::notifications_dropped(&key, 1);
            tracing::warn!(
                connector = key.connector,
                stream = key.stream,
                topic = &*record.topic,
                output = record.output.map(|output| output.id.0),
                reason = unavailable.as_deref().unwrap_or("the topic refused a record before"),
                "dropping a record that no fragment waits for"
            );
            false
        };
        publication.records.retain(&mut stays);
        publication.notifications.retain(&mut stays);
    }

    /// Records that a transaction with records for these topics was committed.
    pub(super) fn committed<'a>(&mut self, topics: impl Iterator<Item = &'a Arc<str>>) {
        for topic in topics {
            if let Some(refused) = self.0.remove(topic) {
                tracing::info!(topic = &**topic, dropped = refused.dropped, "the topic accepts records again");
            }
        }
    }
}
