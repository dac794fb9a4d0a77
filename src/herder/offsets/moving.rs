//! Moves offsets to the topic that their connector's settings name ([`crate::shard::moving`] has the contract).

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio_retry2::strategy::jitter;

use crate::cluster::change::{self, OffsetsMove};
use crate::cluster::{AlteredShards, ConfigLog, Refusal};
use crate::herder::editor::EditedShards;
use crate::herder::error::{OffsetsError, OperationError};
use crate::herder::settings::SettingsCheck;
use crate::herder::{Herder, turns};
use crate::model::{ShardId, ShardLog};
use crate::shard::ConfigOffset;
use crate::shard::moving::{MoveError, TakenOut, Unbegun};
use crate::shard::recover::RecoverError;

/// The maximum number of attempts to put offsets into a topic whose shards are altered for other connectors, too.
const PUT_ATTEMPTS_MAX: u32 = 10;
/// The pause after the first attempt; each further attempt adds as much.
const PUT_PAUSE: Duration = Duration::from_millis(100);

/// What a move leaves to be deleted once the connector's settings name the new topic.
struct Left {
    /// The old topic's shards, if the topic exists.
    from: Option<EditedShards>,
    /// The new topic; `None`: the worker's.
    to: Option<String>,
}

impl Herder {
    /// Makes a change to a connector's settings. If they name another offsets topic than the one its offsets are in,
    /// the offsets are moved and the change is repeated, which completes the move.
    pub(in crate::herder) async fn with_offsets_moved<'a, T>(
        &self,
        name: &str,
        check: &SettingsCheck,
        make: impl Fn() -> BoxFuture<'a, Result<T, OperationError>> + Send + Sync,
    ) -> Result<T, OperationError> {
        let (from, to) = match make().await {
            Err(OperationError::Refused(Refusal::OffsetsElsewhere { from, to, .. })) => (from, to),
            made => return made,
        };
        if self.offsets.workers.contract.config_topic.is_none() {
            let reason = match from {
                None => {
                    "offsets.storage.topic: a standalone worker does not store where the offsets of a connector are: \
                         leave this setting out, or run the worker without --standalone"
                        .to_owned()
                }
                Some(from) => format!(
                    "offsets.storage.topic: the group's cluster moved this connector's offsets to topic {from}, and a standalone \
                     worker cannot move them: set offsets.storage.topic={from}, or run the worker without --standalone"
                ),
            };
            return Err(Refusal::Invalid(reason).into());
        }
        let moved = self.move_offsets(name, from, to).await;
        let (moved, left) = moved.map_err(|error| match error {
            OffsetsError::Operation(error) => error,
            error => OperationError::OffsetsMove(Box::new(error)),
        })?;
        check.offsets_were_moved(moved);
        let made = make().await?;
        self.forget_moved(name, left).await;
        Ok(made)
    }

    /// Copies a connector's offsets from one topic to another; `None` is the worker's.
    async fn move_offsets(
        &self,
        name: &str,
        from: Option<String>,
        to: Option<String>,
    ) -> Result<(OffsetsMove, Left), OffsetsError> {
        let turn = self.offsets.alterations.turn().await?;
        // A deleted connector starts over if its offsets are gone; for a stopped one, the topic may still be restored.
        let exists = self.configs.view().contains(name);
        let source = match self.offsets.shards_of(from.as_ref()).await {
            Err(OffsetsError::Topic(error)) if !exists && error.is_gone() => {
                tracing::warn!(connector = name, %error, "the connector was deleted; its streams start over");
                None
            }
            source => Some(source?),
        };
        // A topic that connectors have, or had, their offsets in is not created again: they would be taken for connectors
        // that have published nothing.
        let is_known = self.configs.view().homes().any(|(_, topic)| Some(topic) == to.as_ref());
        let target = match &to {
            None => self.offsets.workers.clone(),
            Some(topic) if is_known => self.offsets.own.open(topic).await?,
            Some(topic) => self.offsets.own.ensure(topic).await?,
        };
        let id = format!("{:016x}", rand::random::<u64>());
        let begin = {
            let (name, id) = (name.to_owned(), id.clone());
            move |view: &crate::cluster::ConfigView| change::begin_move(view, &name, from.as_deref(), &id)
        };
        let ((), position) = self.offsets.changes.make(begin).await?;
        let stopped = ConfigOffset { topic: self.offsets.changes.log().topic().to_owned(), position };
        let shards = (0..target.count.get()).map(ShardId).collect();
        let moving = Moving {
            connector: name.to_owned(),
            id: id.clone(),
            exists,
            unbegun: if is_known { Unbegun::Lost } else { Unbegun::Empty },
            configs: Arc::clone(self.offsets.changes.log()),
        };
        let left = Left { from: source.clone(), to: to.clone() };
        turns::within(turn, move || moving.copy(source.as_ref(), &target, stopped)).await?;
        Ok((OffsetsMove { id, to: AlteredShards { topic: to, shards } }, left))
    }

    /// Deletes the offsets left in the old topic. Nothing uses them any more, so a failure is only logged.
    async fn forget_moved(&self, name: &str, Left { from, to }: Left) {
        let Some(from) = from else { return };
        let forgotten = async {
            let turn = self.offsets.alterations.own_turn().await;
            let connector = name.to_owned();
            // Other connectors may have been moved out of the same shards since this move began.
            let moved = {
                let connector = connector.clone();
                move |view: &crate::cluster::ConfigView| change::moved(view, &connector, to.as_deref())
            };
            let ((), position) = self.offsets.changes.make(moved).await?;
            let at = ConfigOffset { topic: self.offsets.changes.log().topic().to_owned(), position };
            let forget = move || from.movable().forget(&connector, &at);
            Ok::<(), OffsetsError>(turns::within(turn, forget).await?)
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(connector = name, %error, "offsets that were moved to another topic stay in the old one, unused");
        }
    }
}

/// A move whose mark is in the config log.
struct Moving {
    connector: String,
    /// The mark.
    id: String,
    /// Whether there is such a connector; it is stopped then.
    exists: bool,
    /// What a shard of the new topic without a contract means.
    unbegun: Unbegun,
    configs: Arc<ConfigLog>,
}

impl Moving {
    /// Copies the connector's offsets from one topic to another. Blocks.
    fn copy(
        &self,
        source: Option<&EditedShards>,
        target: &EditedShards,
        stopped: ConfigOffset,
    ) -> Result<(), OffsetsError> {
        let taken = match source {
            None => TakenOut::default(),
            Some(source) => self.take_out(source, &stopped)?,
        };
        self.put_in(target, &taken, stopped)?;
        tracing::info!(
            connector = self.connector,
            streams = taken.streams(),
            from = source.map(|source| source.log.offsets_topic()),
            to = target.log.offsets_topic(),
            "the connector's offsets are copied to its offsets topic"
        );
        Ok(())
    }

    fn take_out(&self, source: &EditedShards, stopped: &ConfigOffset) -> Result<TakenOut, MoveError> {
        let unbegun = match (self.exists, &source.topic) {
            (false, _) => Unbegun::StartsOver,
            // It may be as new as its group.
            (true, None) => Unbegun::Empty,
            (true, Some(_)) => Unbegun::Lost,
        };
        match source.movable().take_out(&self.connector, stopped, unbegun) {
            // It is another topic by now.
            Err(MoveError::Shard { source, topic, .. })
                if !self.exists && matches!(*source, RecoverError::Contract(_)) =>
            {
                tracing::warn!(
                    connector = self.connector,
                    topic,
                    %source,
                    "the connector was deleted; its streams start over"
                );
                Ok(TakenOut::default())
            }
            taken => taken,
        }
    }

    /// Puts offsets into the new topic. Its shards may be altered for another connector at the same time, with a later config
    /// offset: then this is done again with a still later one, as long as nothing was done with this connector.
    fn put_in(&self, target: &EditedShards, taken: &TakenOut, mut stopped: ConfigOffset) -> Result<(), OffsetsError> {
        let mut attempt = 1;
        loop {
            let overtaken = match target.movable().put_in(&self.connector, taken, &stopped, self.unbegun) {
                Err(overtaken @ MoveError::Overtaken { .. }) if attempt < PUT_ATTEMPTS_MAX => overtaken,
                put => return Ok(put?),
            };
            tracing::debug!(connector = self.connector, attempt, %overtaken, "putting offsets into the topic again");
            std::thread::sleep(jitter(PUT_PAUSE.saturating_mul(attempt)));
            let again = self.configs.change(|view| change::continue_move(view, &self.connector, &self.id));
            let (is_current, position) = again.map_err(OperationError::from)?;
            if !is_current {
                return Err(overtaken.into());
            }
            stopped.position = position;
            attempt += 1;
        }
    }
}
