//! Finding the streams of a connector: those the service has that pass its conditions.
//!
//! **Contract.** [`run`] looks at once, then every interval, and whenever it is asked to; what it finds of the shards
//! that are held here it hands to a [`StreamListener`]: streams that have come, and streams that are no more. A stream
//! that was deleted and made again under its name is another one.

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

/// The longest delay before streams are looked for again after a failure.
const RETRY: Duration = Duration::from_secs(5);
/// A look that takes longer than this is told.
const SLOW_AFTER: Duration = Duration::from_secs(30);
/// Streams whose tags are refused before the look is given up, if they are most of those that were asked about.
const REFUSALS_MAX: usize = 3;
/// For [`StreamListener::looked`]: not all streams could be looked at, so that none counts as gone.
const NOT_ALL: u64 = u64::MAX;

/// Who has a connector's streams.
pub trait StreamListener: Send + Sync {
    /// Counts the assignments of shards, for [`StreamListener::looked`].
    fn epoch(&self) -> u64;
    /// All streams of a connector that are of shards held at this epoch have been handed over, or there are none.
    fn looked(&self, connector: &str, epoch: u64, nothing: Option<Nothing>);
    /// Streams could not be looked for; it is tried again.
    fn not_looked(&self, connector: &str, reason: String);
    /// Whether a stream is of a shard that is held here.
    fn holds(&self, key: &OffsetKey) -> bool;
    /// The connector's streams here.
    fn streams(&self, connector: &str) -> Vec<Arc<StreamPlan>>;
    /// Whether the service has said of a stream that it is no more.
    fn is_gone(&self, key: &OffsetKey) -> bool;
    /// A stream has come.
    fn added(&self, plan: Arc<StreamPlan>);
    /// A stream is no more; what is still to be told of it.
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
                    tracing::warn!(%connector, reason, "not all streams could be looked at; trying again");
                    listener.not_looked(&connector, reason);
                }
                discovery.interval
            }
            Err(error) => {
                let request_id = error.request_id();
                let error = context.shown(&error);
                tracing::warn!(%connector, error, request_id, "streams cannot be looked for; trying again");
                listener.not_looked(
                    &connector,
                    format!("streams cannot be looked for, those that are known go on: {error}"),
                );
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

/// Waits for a look, and says so when it takes long: a service may accept a call and not answer it.
async fn said_when_slow<T>(look: impl Future<Output = T>, connector: &str, listener: &dyn StreamListener) -> T {
    let (mut look, began) = (pin!(look), Instant::now());
    loop {
        match tokio::time::timeout(SLOW_AFTER, &mut look).await {
            Ok(looked) => return looked,
            Err(_) => {
                let reason = format!(
                    "streams have been looked for, for {} s, and the service has not answered; those that are known go on",
                    began.elapsed().as_secs()
                );
                tracing::warn!(connector, reason, "looking for streams takes long");
                listener.not_looked(connector, reason);
            }
        }
    }
}

/// Says that nothing is found, or that this is over.
fn tell(connector: &str, tally: &Tally, nothing: Option<&Nothing>) {
    let Tally { listed, named, here, tagged, .. } = *tally;
    match nothing {
        Some(Nothing { reason, everywhere: true }) => {
            tracing::warn!(connector, listed, named, tagged, reason, "no streams are found");
        }
        // Others may have found some, and then all is well.
        Some(Nothing { reason, everywhere: false }) => {
            tracing::info!(connector, listed, named, here, tagged, reason, "no streams are found on this worker");
        }
        None => {
            tracing::info!(connector, listed, named, here, tagged, "there are streams now that may be the connector's")
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
        // One that is being made is found when it is made; one that is being deleted has nothing to read any more.
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
        // Asked for only where it counts: 5 calls a second and stream, 50 an account.
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
                    // One stream is not to cost the others; where most are refused, it is no matter of one stream.
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
            // One that was not known everywhere yet when it was first asked about begins anew.
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
            tracing::info!(connector, stream = %plan.stream, "the stream passes the conditions no more and is let go");
        }
        listener.removed(&plan.key, last_words);
    }
    for (key, (stream, arn)) in found {
        tracing::info!(connector, %stream, %arn, "a stream is found");
        let arn = OnceCell::new_with(Some(Some(arn)));
        listener.added(Arc::new(StreamPlan { key: Arc::new(key), stream, context: Arc::clone(context), arn }));
    }
    let count = refusals.len();
    let refused = refusals.into_iter().next().map(|(stream, error)| {
        let shown = context.shown(&error);
        format!("the tags of {count} of the streams cannot be asked for, of {stream} for example, and the others go on: {shown}")
    });
    Ok((tally, refused))
}
