//! Discovers a connector's streams: those of the service that match its conditions.
//!
//! **Contract.** [`run`] looks for streams at once, then every interval, and whenever it is asked to. For the shards
//! that this worker holds, it reports new and deleted streams to a [`StreamListener`]. A stream that was deleted and
//! created again under its name counts as a different one.

mod tally;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_client::{Error, StreamRef};
use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;

use super::{ConnectorContext, StreamPlan, publish};
use crate::config::connector::Discovery;
use crate::model::{OffsetKey, Publication};
use crate::output::Notification;
use crate::supervision::{Part, fault_point};

pub use tally::Nothing;
use tally::Tally;

/// The longest delay before another attempt after a failed look.
const RETRY: Duration = Duration::from_secs(5);
/// A look that takes longer than this is reported.
const SLOW_AFTER: Duration = Duration::from_secs(30);
/// The number of refused tag requests after which a look is abandoned, if they are most of those made.
const REFUSALS_MAX: usize = 3;
/// For [`StreamListener::looked`]: not all streams could be checked, so none of them counts as deleted.
const NOT_ALL: u64 = u64::MAX;

/// Receives the streams that discovery finds.
pub trait StreamListener: Send + Sync {
    /// Returns the number of shard assignments so far, for [`StreamListener::looked`].
    fn epoch(&self) -> u64;
    /// Notes that all of a connector's streams in shards held at this epoch have been reported, or that there are none.
    fn looked(&self, connector: &str, epoch: u64, nothing: Option<Nothing>);
    /// Notes that a look has failed and will be repeated.
    fn not_looked(&self, connector: &str, reason: String);
    /// Returns whether this worker holds a stream's shard.
    fn holds(&self, key: &OffsetKey) -> bool;
    /// Returns the connector's streams on this worker.
    fn streams(&self, connector: &str) -> Vec<Arc<StreamPlan>>;
    /// Returns whether the service has reported that a stream no longer exists.
    fn is_gone(&self, key: &OffsetKey) -> bool;
    /// Adds a stream.
    fn added(&self, plan: Arc<StreamPlan>);
    /// Removes a stream, after publishing its last notification, if any.
    fn removed(&self, key: &OffsetKey, last_words: Option<Publication>);
}

/// Looks for streams until it is cancelled.
pub async fn run(
    connector: String,
    discovery: Discovery,
    context: Arc<ConnectorContext>,
    listener: Arc<dyn StreamListener>,
    look_now: Arc<Notify>,
    cancel: CancellationToken,
) {
    let mut nothing_before: Option<Nothing> = None;
    loop {
        fault_point(Part::Connector);
        let epoch = listener.epoch();
        let looking = look(&connector, &discovery, &context, &*listener);
        let wait = match said_when_slow(looking, &connector, &*listener).await {
            Ok((tally, refused)) => {
                let nothing = tally.nothing(&discovery);
                if nothing != nothing_before {
                    tell(&connector, &tally, nothing.as_ref());
                }
                nothing_before.clone_from(&nothing);
                listener.looked(&connector, if refused.is_some() { NOT_ALL } else { epoch }, nothing);
                if let Some(reason) = refused {
                    tracing::warn!(%connector, reason, "not all streams could be checked; trying again");
                    listener.not_looked(&connector, reason);
                }
                discovery.interval
            }
            Err(error) => {
                let request_id = error.request_id();
                let error = context.shown(&error);
                tracing::warn!(%connector, error, request_id, "discovery failed; trying again");
                listener
                    .not_looked(&connector, format!("streams cannot be discovered, known streams continue: {error}"));
                RETRY.min(discovery.interval)
            }
        };
        tokio::select! {
            () = cancel.cancelled() => return,
            () = look_now.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Waits for a look, and reports when it takes long: a service may accept a call and never respond.
async fn said_when_slow<T>(look: impl Future<Output = T>, connector: &str, listener: &dyn StreamListener) -> T {
    let (mut look, began) = (pin!(look), Instant::now());
    loop {
        match tokio::time::timeout(SLOW_AFTER, &mut look).await {
            Ok(looked) => return looked,
            Err(_) => {
                let reason = format!(
                    "discovery has waited {} s for the service, which has not responded; known streams continue",
                    began.elapsed().as_secs()
                );
                tracing::warn!(connector, reason, "discovery takes long");
                listener.not_looked(connector, reason);
            }
        }
    }
}

/// Logs that no streams are found, or that this is no longer so.
fn tell(connector: &str, tally: &Tally, nothing: Option<&Nothing>) {
    let Tally { listed, named, here, tagged, .. } = *tally;
    match nothing {
        Some(Nothing { reason, everywhere: true }) => {
            tracing::warn!(connector, listed, named, tagged, reason, "no streams found");
        }
        // Other workers may have found some, and then all is well.
        Some(Nothing { reason, everywhere: false }) => {
            tracing::info!(connector, listed, named, here, tagged, reason, "no streams found on this worker");
        }
        None => {
            tracing::info!(
                connector,
                listed,
                named,
                here,
                tagged,
                "there are now streams that may belong to the connector"
            )
        }
    }
}

async fn look(
    connector: &str,
    discovery: &Discovery,
    context: &Arc<ConnectorContext>,
    listener: &dyn StreamListener,
) -> Result<(Tally, Option<String>), Error> {
    let (mut answered, mut refusals) = (0, Vec::<(StreamRef, Error)>::new());
    let listed = context.client.list_streams(discovery.prefix.as_deref()).await?;
    let mut found: HashMap<OffsetKey, (StreamRef, String)> = HashMap::new();
    let mut exists: HashMap<String, String> = HashMap::new();
    let mut tally = Tally { listed: listed.len(), ..Tally::default() };
    for info in listed {
        // A stream that is being created is found later; one that is being deleted has nothing left to read.
        if !matches!(info.status.as_str(), "ACTIVE" | "UPDATING") {
            continue;
        }
        exists.insert(info.name.clone(), info.arn.clone());
        tally.ready += 1;
        if !discovery.names(&info.name) {
            continue;
        }
        tally.named += 1;
        let key = OffsetKey { connector: connector.to_owned(), stream: info.name.clone() };
        if !listener.holds(&key) {
            continue;
        }
        tally.here += 1;
        let Ok(stream) = info.name.parse::<StreamRef>() else { continue };
        // Requested only where it matters: the limits are 5 calls a second per stream and 50 per account.
        if !discovery.tags.is_empty() {
            match context.client.list_tags(&stream).await {
                Ok(tags) => {
                    answered += 1;
                    if !discovery.tagged(&tags) {
                        continue;
                    }
                }
                // Deleted since it was listed.
                Err(error) if error.is_not_found() => continue,
                Err(error) => {
                    refusals.push((stream.clone(), error));
                    // One stream must not affect the others; when most are refused, the cause is not a single stream.
                    if refusals.len() >= REFUSALS_MAX && refusals.len() > answered {
                        return Err(refusals.swap_remove(0).1);
                    }
                    if !listener.streams(connector).iter().any(|plan| *plan.key == key) {
                        continue;
                    }
                }
            }
        }
        tally.tagged += 1;
        found.insert(key, (stream, info.arn));
    }
    for plan in listener.streams(connector).into_iter().filter(|plan| listener.holds(&plan.key)) {
        let is_same = |arn: &str| plan.arn.get().and_then(Option::as_deref).is_none_or(|known| known == arn);
        if found.get(&plan.key).is_some_and(|(_, arn)| is_same(arn)) {
            // A stream that not all of the service's servers knew at the first request starts over.
            if listener.is_gone(&plan.key) {
                listener.removed(&plan.key, None);
            } else {
                found.remove(&*plan.key);
            }
            continue;
        }
        context.client.forget(&plan.stream).await;
        let deleted = exists.get(plan.stream.name()).is_none_or(|arn| !is_same(arn));
        let last_words = deleted.then(|| publish::last_words(&plan, &Notification::StreamDeleted));
        if !deleted {
            tracing::info!(connector, stream = %plan.stream, "the stream no longer matches the conditions and is released");
        }
        listener.removed(&plan.key, last_words);
    }
    for (key, (stream, arn)) in found {
        tracing::info!(connector, %stream, %arn, "stream discovered");
        let arn = OnceCell::new_with(Some(Some(arn)));
        listener.added(Arc::new(StreamPlan { key: Arc::new(key), stream, context: Arc::clone(context), arn }));
    }
    let count = refusals.len();
    let refused = refusals.into_iter().next().map(|(stream, error)| {
        let shown = context.shown(&error);
        format!("the tags of {count} of the streams cannot be requested, for example of {stream}; the others continue: {shown}")
    });
    Ok((tally, refused))
}
