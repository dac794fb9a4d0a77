//! Positions of streams that were stored under their ARNs, before positions were stored under names.
//!
//! **Contract.** [`EarlierPositions::position_of`] returns the position that a stream reached under its ARN, once
//! nobody publishes it under that any more ([`crate::shard::by_arn`]). For a stream without a position under its name,
//! the result comes from a look at all shards that began after the call; one look serves all calls before it.

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

/// How long reading a shard may make no progress before it is given up and tried again later.
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
    /// The number of calls that the look serves: those made before it began.
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
        // Other callers wait meanwhile, because one move is enough for a shard.
        let mut moved = false;
        for (_, shard, position) in looked.found.get(key).into_iter().flatten() {
            if matches!(position, Ok(position) if !position.moved) {
                self.move_positions(*shard).await?;
                moved = true;
            }
        }
        if moved {
            looked.found = self.find().await?;
        }
        let mut highest: Option<StoredOffset> = None;
        for (_, shard, position) in looked.found.get(key).into_iter().flatten() {
            match position {
                Err(record) => return Err(record.clone().into()),
                Ok(position) if !position.moved => {
                    return Err(EarlierPositionError::StillPublished { shard: *shard });
                }
                Ok(position) => {
                    let above = |known: &StoredOffset| known.fragment_number < position.offset.fragment_number;
                    if highest.as_ref().is_none_or(above) {
                        highest = Some(position.offset.clone());
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
            "moving positions that are stored under ARNs; the shard's owner acquires it again"
        );
        blocking(move || contend(|| move_positions(&*log, &contract, shard, STALL_TIMEOUT))).await
    }
}

async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, RecoverError> + Send + 'static,
) -> Result<T, EarlierPositionError> {
    let asked = supervision::blocking(Part::Stream, ask).await;
    asked.map_err(|error| EarlierPositionError::Shard { source: Box::new(error) })
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

/// The earlier positions of a connector that cannot have any.
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
