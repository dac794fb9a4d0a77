//! Reads and alters offsets in their shards.
//!
//! **Contract.** Offsets are altered only while their connector is STOPPED, each shard's under the shard's own fence,
//! in one transaction with the config offset at which it was STOPPED, which is determined under that fence. The shard's owner
//! loses it, is told by the config log, acquires the shard again, and pulls nothing until that config offset has been applied
//! there ([`crate::shard::ConfigGate`]). Every offset is checked before the first one is written. A connector whose own topic has
//! lost its offsets continues when those of all its streams have been set or reset: this begins the topic again for it, and for
//! no other connector ([`change::begin_again`]).

mod lost;
mod named;
mod shards;
mod topic;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::changes::Changes;
use super::error::{OffsetsError, OperationError};
use super::turns::{self, Turn, Turns};
use crate::cluster::change::Extent;
use crate::cluster::{AlteredShards, ChangeError, ConfigLog, ConfigView, ConnectorEntry, OffsetsHome, Refusal, change};
use crate::config::WorkerConfig;
use crate::config::connector::{StreamsConfig, streams_of};
use crate::kafka::KafkaLog;
use crate::model::{Contract, OffsetKey};
use crate::shard::ConfigOffset;
use crate::shard::moving::Settled;

pub(super) use lost::{Lost, current_streams, expect_all};
pub(super) use shards::EditedShards;
pub use shards::{Alterations, Offsets};
use topic::OwnTopics;

/// An alteration of a connector's offsets.
pub(super) struct Alteration {
    /// The connector.
    pub(super) entry: ConnectorEntry,
    /// Where its offsets are.
    pub(super) home: OffsetsHome,
    /// The shards of that topic.
    pub(super) shards: EditedShards,
    /// What they have lost.
    pub(super) lost: Lost,
    /// The offsets to set.
    pub(super) offsets: Alterations,
}

impl Alteration {
    /// Returns whether an offset of a stream may have been lost.
    pub(super) fn may_have_lost(&self, connector: &str, stream: &str) -> bool {
        let key = OffsetKey::of_stream(connector, stream);
        self.lost.has_lost(self.shards.count.shard_of(&key.to_bytes()))
    }
}

/// Reads and alters offsets in the shards of the offsets topics.
pub(super) struct OffsetsEditor {
    /// The shards of the worker's topic.
    pub(super) workers: EditedShards,
    pub(super) own: OwnTopics,
    pub(super) changes: Changes,
    pub(super) alterations: Turns,
    readings: Turns,
}

impl OffsetsEditor {
    pub(super) fn new(log: Arc<KafkaLog>, config: Arc<WorkerConfig>, contract: Contract, changes: Changes) -> Self {
        let own = OwnTopics::new(Arc::clone(&log), Arc::clone(&config), contract.clone());
        Self {
            workers: EditedShards { topic: None, log, contract, count: config.shards },
            own,
            changes,
            alterations: Turns::new(turns::ALTERATIONS),
            readings: Turns::new(turns::READINGS),
        }
    }

    /// Returns the shards of a topic; `None`: the worker's.
    pub(super) async fn shards_of(&self, topic: Option<&String>) -> Result<EditedShards, OffsetsError> {
        match topic {
            None => Ok(self.workers.clone()),
            Some(topic) => Ok(self.own.open(topic).await?),
        }
    }

    pub(super) async fn read(&self, topic: Option<&String>, name: &str) -> Result<Offsets, OffsetsError> {
        let turn = self.readings.turn().await?;
        let (shards, name) = (self.shards_of(topic).await?, name.to_owned());
        let read = turns::within(turn, move || shards.read(&name).map_err(|failure| shards.failed(failure, 0)));
        Ok(read.await?)
    }

    /// Refuses streams that do not belong to the connector, unless they have an offset.
    pub(super) async fn check_named(
        &self,
        topic: Option<&String>,
        name: &str,
        entry: &ConnectorEntry,
        offsets: &Alterations,
    ) -> Result<(), OffsetsError> {
        // A connector whose settings cannot be read here may have any stream.
        let Some(streams) = entry.settings.as_ref().ok().and_then(streams_of) else { return Ok(()) };
        let mut foreign: Vec<&String> = offsets.keys().filter(|stream| !named::may_have(&streams, stream)).collect();
        if foreign.is_empty() {
            return Ok(());
        }
        let mut known: BTreeSet<String> = self.read(topic, name).await?.into_keys().collect();
        foreign.retain(|stream| !known.contains(*stream));
        let Some(foreign) = foreign.first() else { return Ok(()) };
        match &streams {
            StreamsConfig::Listed(listed) => known.extend(listed.iter().map(|stream| stream.name().to_owned())),
            StreamsConfig::Discovered(_) => known.extend(entry.tasks.values().cloned()),
        }
        Err(OperationError::from(Refusal::Invalid(named::refusal(name, &streams, foreign, &known))).into())
    }

    /// Returns what the shards of a topic have lost.
    pub(super) async fn lost(
        &self,
        name: &str,
        shards: &EditedShards,
        home: &OffsetsHome,
    ) -> Result<Lost, OffsetsError> {
        let turn = self.readings.turn().await?;
        let (name, shards, is_marked) = (name.to_owned(), shards.clone(), home.lost);
        let read =
            turns::within(turn, move || shards.lost(&name, is_marked).map_err(|failure| shards.failed(failure, 0)));
        Ok(read.await?)
    }

    pub(super) async fn alter(&self, turn: Turn, name: &str, alteration: Alteration) -> Result<(), OffsetsError> {
        let Alteration { home, shards, lost, offsets, .. } = alteration;
        let extent = if lost.is_all() { Extent::All } else { Extent::Some };
        if let (Lost::Topic, Some(topic)) = (&lost, home.topic.clone()) {
            let (of, again) = (name.to_owned(), shards.clone());
            let begin = move |view: &ConfigView| match again.lost(&of, false) {
                // Another connector's offsets have been set meanwhile, which began the topic again.
                Ok(Lost::Connector | Lost::Cut(_)) => change::begin_alteration(view, &of),
                Ok(Lost::Topic) | Err(_) => change::begin_again(view, &of, &topic),
            };
            self.changes.make(begin).await?;
        }
        let (name, configs) = (name.to_owned(), Arc::clone(self.changes.log()));
        let altered = turns::within(turn, move || {
            let mut done = Vec::new();
            let others = configs.view().with_offsets_in(shards.topic.as_deref());
            let settled = Settled { connector: &name, others: &others };
            let stopped = || stopped_at(&configs, &name, home.topic.as_deref());
            let altered = match shards.alter(&settled, offsets, extent, stopped, &mut done) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(OffsetsError::ChangedMeanwhile {
                    connector: name.clone(),
                    altered: done.len(),
                    source: Box::new(error.into()),
                }),
                Err(failure) => Err(shards.failed(failure, done.len()).into()),
            };
            let extent = if altered.is_ok() { extent } else { Extent::Some };
            // The owners are told to acquire these shards again: one that has nothing to write would not notice.
            let told = match done.is_empty() {
                true => Ok(((), 0)),
                false => {
                    let done = AlteredShards { topic: shards.topic, shards: done };
                    match configs.change(|view| change::altered(view, &name, &done, extent)) {
                        // A move that began after the shards were altered took the new offsets along, and is complete.
                        Err(ChangeError::Refused(Refusal::OffsetsElsewhere { .. })) => Ok(((), 0)),
                        told => told,
                    }
                }
            };
            (altered, told)
        });
        let (altered, told) = altered.await;
        altered?;
        told.map(|_| ()).map_err(|error| OperationError::from(error).into())
    }

    /// Refuses a connector that is not STOPPED, and ends moves of its offsets that have begun.
    pub(super) async fn begin(&self, name: &str) -> Result<(), OffsetsError> {
        let name = name.to_owned();
        self.changes.make(move |view| change::begin_alteration(view, &name)).await?;
        Ok(())
    }
}

/// Returns the current config offset if the connector is STOPPED there, with its offsets in this topic. Blocks.
fn stopped_at(configs: &ConfigLog, name: &str, topic: Option<&str>) -> Result<ConfigOffset, ChangeError> {
    let view = configs.current()?;
    configs.check_contract(&view)?;
    change::may_alter(&view, name, topic)?;
    Ok(ConfigOffset { topic: configs.topic().to_owned(), position: view.position })
}
