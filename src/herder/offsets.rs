//! Reads, alters and resets the offsets of a connector's streams.

mod moving;

use super::Herder;
use super::editor::{Alterations, Offsets};
use super::error::{OffsetsError, OperationError};
use crate::cluster::change;

impl Herder {
    /// Returns the offsets of a connector's current and former streams.
    ///
    /// # Errors
    /// `NotFound` when there is no such connector; when a shard cannot be read.
    pub async fn offsets(&self, name: &str) -> Result<Offsets, OffsetsError> {
        self.connector(name)?;
        let topic = self.offsets_topic(name)?;
        self.offsets.read(topic.as_ref(), name).await
    }

    /// Sets offsets of a connector's streams.
    ///
    /// # Errors
    /// `NotStopped` when the connector is not STOPPED, `Invalid` when a stream does not belong to it and has no offset;
    /// when a shard cannot be written.
    pub async fn alter_offsets(&self, name: &str, offsets: Alterations) -> Result<(), OffsetsError> {
        let turn = self.offsets.alterations.turn().await?;
        self.connector(name)?;
        let topic = self.offsets_topic(name)?;
        self.offsets.check_stopped(name, topic.as_ref()).await?;
        self.offsets.check_named(topic.as_ref(), name, &self.connector(name)?, &offsets).await?;
        self.offsets.alter(turn, topic, name, offsets).await
    }

    /// Deletes the offsets of all streams of a connector.
    ///
    /// # Errors
    /// `NotStopped` when the connector is not STOPPED; when a shard cannot be written.
    pub async fn reset_offsets(&self, name: &str) -> Result<(), OffsetsError> {
        let turn = self.offsets.alterations.turn().await?;
        self.connector(name)?;
        let topic = self.offsets_topic(name)?;
        self.offsets.check_stopped(name, topic.as_ref()).await?;
        let offsets = self.offsets.read(topic.as_ref(), name).await?.into_keys().map(|stream| (stream, None)).collect();
        self.offsets.alter(turn, topic, name, offsets).await
    }

    /// Returns the topic that contains a connector's offsets; `None`: the worker's.
    fn offsets_topic(&self, name: &str) -> Result<Option<String>, OperationError> {
        Ok(change::offsets_home(&*self.view()?, name)?.topic)
    }
}
