//! Where streams were before their positions stood under their names.
//!
//! **Contract.** [`EarlierPositions::position_of`] returns what a stream published under its ARN, when nobody does that any
//! more ([`crate::shard::by_arn`]). A stream that has no position under its name is answered from a look at all shards that
//! began after the question; one look serves all that asked before it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;

use crate::connector::{EarlierPositionError, EarlierPositions};
use crate::kafka::KafkaLog;
use crate::model::{Contract, OffsetKey, ShardCount, ShardId, StoredOffset};
use crate::shard::acquire::contend;
use crate::shard::by_arn::{FoundByArn, find, move_positions};
use crate::shard::recover::RecoverError;
use crate::supervision::{self, Part};

/// A shard that makes no progress for this long is given up, and asked again later.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Looks for positions in the offsets topic.
pub(super) struct PositionsByArn {
    log: Arc<KafkaLog>,
    contract: Contract,
    shards: ShardCount,
    asked: AtomicU64,
    looked: tokio::sync::Mutex<Looked>,
}

/// What the last look found.
#[derive(Default)]
struct Looked {
    /// The number of questions that it serves: those that were asked before it began.
    answers: u64,
    found: HashMap<OffsetKey, Vec<FoundByArn>>,
}

impl PositionsByArn {
    pub(super) fn new(log: Arc<KafkaLog>, contract: Contract, shards: ShardCount) -> Self {
        Self { log, contract, shards, asked: AtomicU64::new(0), looked: tokio::sync::Mutex::default() }
    }

    async fn look(&self, key: &OffsetKey, has_position: bool) -> Result<Option<StoredOffset>, EarlierPositionError> {
        let question = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut looked = self.looked.lock().await;
        if looked.answers < if has_position { 1 } else { question } {
            let answers = self.asked.load(Ordering::Acquire);
            *looked = Looked { answers, found: self.find().await? };
        }
        // Others wait meanwhile: one move is enough for a shard.
        let mut moved = false;
        for (_, shard, place) in looked.found.get(key).into_iter().flatten() {
            if matches!(place, Ok(place) if !place.moved) {
                self.move_positions(*shard).await?;
                moved = true;
            }
        }
        if moved {
            looked.found = self.find().await?;
        }
        let mut highest: Option<StoredOffset> = None;
        for (_, shard, place) in looked.found.get(key).into_iter().flatten() {
            match place {
                Err(reason) => return Err(EarlierPositionError::Unreadable(reason.clone())),
                Ok(place) if !place.moved => {
                    let reason =
                        format!("shard {shard}: a worker of an earlier version publishes the stream by its ARN");
                    return Err(EarlierPositionError::Unavailable(reason));
                }
                Ok(place) => {
                    let above = |known: &StoredOffset| known.fragment_number < place.offset.fragment_number;
                    if highest.as_ref().is_none_or(above) {
                        highest = Some(place.offset.clone());
                    }
                }
            }
        }
        Ok(highest)
    }

    async fn find(&self) -> Result<HashMap<OffsetKey, Vec<FoundByArn>>, EarlierPositionError> {
        let (log, contract, shards) = (Arc::clone(&self.log), self.contract.clone(), self.shards);
        blocking(move || find(&*log, &contract, shards, STALL_TIMEOUT)).await
    }

    async fn move_positions(&self, shard: ShardId) -> Result<(), EarlierPositionError> {
        let (log, contract) = (Arc::clone(&self.log), self.contract.clone());
        tracing::info!(
            shard = shard.0,
            "positions that stand under ARNs are moved: the shard's owner acquires it again"
        );
        blocking(move || contend(|| move_positions(&*log, &contract, shard, STALL_TIMEOUT))).await
    }
}

async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, RecoverError> + Send + 'static,
) -> Result<T, EarlierPositionError> {
    let asked = supervision::blocking(Part::Stream, ask).await;
    asked.map_err(|error| EarlierPositionError::Unavailable(error.to_string()))
}

impl EarlierPositions for PositionsByArn {
    fn position_of<'a>(
        &'a self,
        key: &'a OffsetKey,
        has_position: bool,
    ) -> BoxFuture<'a, Result<Option<StoredOffset>, EarlierPositionError>> {
        Box::pin(self.look(key, has_position))
    }
}

/// There are none.
pub(super) struct NoEarlierPositions;

impl EarlierPositions for NoEarlierPositions {
    fn position_of<'a>(
        &'a self,
        _: &'a OffsetKey,
        _: bool,
    ) -> BoxFuture<'a, Result<Option<StoredOffset>, EarlierPositionError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}
