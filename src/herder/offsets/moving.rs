//! Moves offsets to the topic that their connector's settings name ([`crate::shard::moving`] has the contract).

use futures::future::BoxFuture;

use crate::cluster::change::{self, OffsetsMove};
use crate::cluster::{AlteredShards, Refusal};
use crate::herder::editor::EditedShards;
use crate::herder::error::{OffsetsError, OffsetsTopicError, OperationError};
use crate::herder::settings::SettingsCheck;
use crate::herder::{Herder, turns};
use crate::model::{ShardId, ShardLog};
use crate::shard::ConfigOffset;
use crate::shard::moving::{MoveError, TakenOut, Unbegun};
use crate::shard::recover::RecoverError;

/// What a move leaves to be deleted once the connector's settings name the new topic.
struct Left {
    /// The old topic's shards, if the topic exists.
    from: Option<EditedShards>,
    stopped: ConfigOffset,
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
            Err(OffsetsError::Topic(error @ OffsetsTopicError::Missing(_))) if !exists => {
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
        let (left, connector, at) = (source.clone(), name.to_owned(), stopped.clone());
        let copied = turns::within(turn, move || {
            let taken = match &source {
                None => TakenOut::default(),
                Some(source) => {
                    // The worker's topic may be as new as its group, and so may be empty.
                    let is_kept = exists && source.topic.is_some();
                    let unbegun = if is_kept { Unbegun::Lost } else { Unbegun::Empty };
                    match source.movable().take_out(&connector, &at, unbegun) {
                        // It is another topic by now.
                        Err(MoveError::Shard { source, topic, .. })
                            if !exists && matches!(*source, RecoverError::Contract(_)) =>
                        {
                            tracing::warn!(connector, topic, %source, "the connector was deleted; its streams start over");
                            TakenOut::default()
                        }
                        taken => taken?,
                    }
                }
            };
            let unbegun = if is_known { Unbegun::Lost } else { Unbegun::Empty };
            target.movable().put_in(&connector, &taken, &at, unbegun)?;
            tracing::info!(
                connector,
                streams = taken.streams(),
                from = source.as_ref().map(|source| source.log.offsets_topic()),
                to = target.log.offsets_topic(),
                "the connector's offsets are copied to its offsets topic"
            );
            Ok::<(), OffsetsError>(())
        });
        copied.await?;
        Ok((OffsetsMove { id, to: AlteredShards { topic: to, shards } }, Left { from: left, stopped }))
    }

    /// Deletes the offsets left in the old topic. Nothing uses them any more, so a failure is only logged.
    async fn forget_moved(&self, name: &str, Left { from, stopped }: Left) {
        let Some(from) = from else { return };
        let forgotten = async {
            let turn = self.offsets.alterations.own_turn().await;
            let connector = name.to_owned();
            let forget = move || from.movable().forget(&connector, &stopped);
            Ok::<(), OffsetsError>(turns::within(turn, forget).await?)
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(connector = name, %error, "offsets that were moved to another topic stay in the old one, unused");
        }
    }
}
