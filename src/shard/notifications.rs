//! Notifications that cannot be written are dropped: a fragment never waits for one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::log::ShardLog;
use super::offset::OffsetKey;
use super::outgoing::Outgoing;
use crate::telemetry;

/// After a refusal none is written for so long, then one is tried.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// The longest of these times: it doubles with each refusal.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// Whether a shard's owner writes notifications.
#[derive(Debug, Default)]
pub struct Notifications {
    refused: Option<Refused>,
}

#[derive(Debug)]
struct Refused {
    until: Instant,
    pause: Duration,
    dropped: u64,
}

impl Notifications {
    /// Their topic has refused one, and with it a transaction: for a while none is written. What went with a fragment comes
    /// again with it; the others are dropped with this transaction.
    pub(super) fn refused(&mut self, reason: &str, dropped: &[Arc<OffsetKey>]) {
        dropped.iter().for_each(|key| telemetry::notifications_dropped(key, 1));
        let before = self.refused.take();
        let pause = before.as_ref().map_or(FIRST_PAUSE, |before| (before.pause * 2).min(PAUSE_MAX));
        let dropped = before.map_or(0, |before| before.dropped).saturating_add(dropped.len() as u64);
        tracing::warn!(
            reason,
            pause_s = pause.as_secs(),
            "notifications cannot be written and are dropped for this long; make notifications.topic, or grant Write on it"
        );
        self.refused = Some(Refused { until: Instant::now() + pause, pause, dropped });
    }

    /// Takes away from a fragment what cannot be written with it.
    pub(super) fn pass(&mut self, outgoing: &mut Outgoing, log: &impl ShardLog) {
        let Some(first) = outgoing.notifications.first() else { return };
        let unavailable = log.unavailable(&first.topic, first.partition);
        let refused = self.refused.as_ref().is_some_and(|refused| Instant::now() < refused.until);
        if unavailable.is_none() && !refused {
            return;
        }
        let count = outgoing.notifications.len();
        if let Some(refused) = &mut self.refused {
            refused.dropped = refused.dropped.saturating_add(count as u64);
        }
        telemetry::notifications_dropped(&outgoing.key, count as u64);
        tracing::warn!(
            connector = outgoing.key.connector,
            stream = outgoing.key.stream,
            topic = &*first.topic,
            count,
            reason = unavailable.as_deref().unwrap_or("its topic refused one before"),
            "a notification is dropped"
        );
        outgoing.notifications.clear();
    }

    /// A transaction was committed; `any`: with notifications in it.
    pub(super) fn written(&mut self, any: bool) {
        if any && let Some(refused) = self.refused.take() {
            tracing::info!(dropped = refused.dropped, "notifications can be written again");
        }
    }
}
