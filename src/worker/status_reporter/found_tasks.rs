//! Creates tasks for the streams that discovery has found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::StatusReporter;
use crate::cluster::{ConfigView, change};
use crate::model::OffsetKey;
use crate::supervision::{Part, catch_async, fault_point_in};

impl StatusReporter {
    /// Creates tasks for streams that were discovered here, and deletes those of streams that no longer exist.
    pub(super) fn find_tasks(&self, view: &ConfigView) {
        for name in view.names() {
            let Some(looked) = self.parts.connectors.status_of(name).and_then(|run| run.looked) else { continue };
            let known: BTreeSet<&String> = view.tasks(name).into_iter().flat_map(BTreeMap::values).collect();
            let here: BTreeSet<String> =
                self.parts.connectors.streams(name).iter().map(|plan| plan.stream.as_str().to_owned()).collect();
            let come: BTreeSet<String> = here.iter().filter(|stream| !known.contains(stream)).cloned().collect();
            let held = self.parts.shards.held();
            let is_held = |stream: &String| {
                let key = OffsetKey::of_stream(name, stream);
                self.parts.shards.topics().shard_of(&key).is_some_and(|shard| held.contains(&shard))
            };
            // Known only once discovery has reported all streams of the shards that are held now.
            let gone: BTreeSet<String> = if looked == self.parts.shards.held_version() {
                known.into_iter().filter(|stream| !here.contains(*stream) && is_held(stream)).cloned().collect()
            } else {
                BTreeSet::new()
            };
            if come.is_empty() && gone.is_empty() {
                continue;
            }
            // One change at a time; the next look finds the rest.
            let Ok(turn) = Arc::clone(&self.finding).try_acquire_owned() else { return };
            let (changes, name) = (self.parts.changes.clone(), name.clone());
            let change = async move {
                let _turn = turn;
                fault_point_in("found_tasks");
                let of = name.clone();
                let made = changes.make_own(move |view| change::found(view, &of, &come, &gone)).await;
                if let Err(error) = made {
                    tracing::warn!(connector = name, %error, "streams that were found have no task yet");
                }
            };
            let panics = Arc::clone(&self.finding_panics);
            // The next look finds what this one has not done; panics are counted in case it never succeeds.
            tokio::spawn(async move { panics.note(catch_async(Part::Statuses, change).await) });
            return;
        }
    }
}
