//! Reads, alters and resets the offsets of a connector's streams.

mod moving;

use super::Herder;
use super::editor::{self, Alteration, Alterations, Offsets};
use super::error::{OffsetsError, OperationError};
use super::turns::Turn;
use crate::cluster::{OffsetsHome, change};
use crate::model::ShardLog;

impl Herder {
    /// Returns the offsets of a connector's current and former streams.
    ///
    /// # Errors
    /// `NotFound` when there is no such connector; when a shard cannot be read.
    pub async fn offsets(&self, name: &str) -> Result<Offsets, OffsetsError> {
        self.connector(name)?;
        let home = self.offsets_home(name)?;
        self.offsets.read(home.topic.as_ref(), name).await
    }

    /// Sets offsets of a connector's streams.
    ///
    /// # Errors
    /// `NotStopped` when the connector is not STOPPED, `Invalid` when a stream does not belong to it and has no offset, or
    /// when offsets were lost and not all streams that may have had one are given; when a shard cannot be written.
    pub async fn alter_offsets(&self, name: &str, offsets: Alterations) -> Result<(), OffsetsError> {
        let (turn, mut alteration) = self.alteration(name).await?;
        let Alteration { entry, home, .. } = &alteration;
        let topic = home.topic.as_ref();
        let lost = editor::current_streams(entry).into_iter().filter(|stream| alteration.may_have_lost(name, stream));
        editor::expect_all(name, alteration.shards.log.offsets_topic(), &alteration.lost, lost, &offsets)?;
        self.offsets.check_named(topic, name, entry, &offsets).await?;
        alteration.offsets = offsets;
        self.offsets.alter(turn, name, alteration).await
    }

    /// Deletes the offsets of all streams of a connector.
    ///
    /// # Errors
    /// `NotStopped` when the connector is not STOPPED; when a shard cannot be written.
    pub async fn reset_offsets(&self, name: &str) -> Result<(), OffsetsError> {
        let (turn, mut alteration) = self.alteration(name).await?;
        let known = self.offsets.read(alteration.home.topic.as_ref(), name).await?.into_keys();
        // Streams whose offsets were lost are reset, too, so that they start over.
        let lost = editor::current_streams(&alteration.entry).into_iter();
        let lost = lost.filter(|stream| alteration.may_have_lost(name, stream));
        alteration.offsets = known.chain(lost).map(|stream| (stream, None)).collect();
        self.offsets.alter(turn, name, alteration).await
    }

    /// Returns what an alteration of a connector's offsets begins with, and its turn.
    ///
    /// # Errors
    /// `NotFound` when there is no such connector, `NotStopped` when it is not STOPPED; when its topic cannot be read.
    async fn alteration(&self, name: &str) -> Result<(Turn, Alteration), OffsetsError> {
        let turn = self.offsets.alterations.turn().await?;
        self.connector(name)?;
        self.offsets.begin(name).await?;
        // This worker has read everything that was in the config log then.
        let (entry, home) = (self.connector(name)?, self.offsets_home(name)?);
        let shards = self.offsets.shards_of(home.topic.as_ref()).await?;
        let lost = self.offsets.lost(name, &shards, &home).await?;
        Ok((turn, Alteration { entry, home, shards, lost, offsets: Alterations::new() }))
    }

    /// Returns where a connector's offsets are.
    fn offsets_home(&self, name: &str) -> Result<OffsetsHome, OperationError> {
        Ok(change::offsets_home(&*self.view()?, name)?)
    }
}
