//! Creates, changes, deletes, pauses and restarts connectors for the whole group.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;

use super::Herder;
use super::error::OperationError;
use super::settings::SettingsCheck;
use crate::cluster::change::{self, Change};
use crate::cluster::{ConfigView, ConnectorEntry, Refusal, RestartRequest, Settings, TargetState};
use crate::config::secrets;

/// The maximum number of connectors, which bounds what each worker keeps in memory.
const CONNECTORS_MAX: usize = 20_000;

/// A task: one stream of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskInfo {
    /// The id, which does not change while the stream belongs to the connector.
    pub id: u32,
    /// The name or ARN of the stream, as it is configured.
    pub stream: String,
}

/// Returns the tasks of a connector as Kafka Connect shows them: none when it is STOPPED.
pub fn tasks_of(entry: &ConnectorEntry) -> Vec<TaskInfo> {
    if entry.target == TargetState::Stopped {
        return Vec::new();
    }
    entry.tasks.iter().map(|(&id, stream)| TaskInfo { id, stream: stream.clone() }).collect()
}

impl Herder {
    /// Returns a connector's entry in the config log.
    ///
    /// # Errors
    /// `NotFound` when there is no connector of that name.
    pub fn connector(&self, name: &str) -> Result<ConnectorEntry, OperationError> {
        self.view()?.get(name).ok_or_else(|| Refusal::NotFound(name.to_owned()).into())
    }

    /// Creates a connector, and returns its entry after the change.
    ///
    /// # Errors
    /// `AlreadyExists` when there is a connector of that name, `Invalid` when its settings are wrong.
    pub async fn create(
        &self,
        name: &str,
        settings: Settings,
        initial: TargetState,
    ) -> Result<ConnectorEntry, OperationError> {
        self.view()?;
        let check = Arc::new(SettingsCheck::new(&self.config, name));
        let make = || {
            let (checks, given, of) = (Arc::clone(&check), settings.clone(), name.to_owned());
            let before = move |view: &ConfigView| {
                // An existing connector is refused only under the fence: it may be gone by now.
                if !view.contains(&of) {
                    checks.check(given, None)?;
                }
                Ok(None)
            };
            let (check, settings, name) = (Arc::clone(&check), settings.clone(), name.to_owned());
            let decide = move |view: &ConfigView| {
                bounded(view, &name)?;
                let check = |settings, stored: Option<&Settings>| check.check(settings, stored);
                changed(view, &name, change::create(view, &name, settings.clone(), initial, &check)?)
            };
            async move { self.changes.make_after(before, decide).await.map(|(((), entry), _)| entry) }.boxed()
        };
        self.with_offsets_moved(name, &check, make).await
    }

    /// Sets a connector's settings. Returns whether the connector was created by that, and its entry after the change.
    ///
    /// # Errors
    /// `Invalid` when its settings are wrong.
    pub async fn put_config(&self, name: &str, settings: Settings) -> Result<(bool, ConnectorEntry), OperationError> {
        let check = Arc::new(SettingsCheck::new(&self.config, name));
        let has_mask = settings.values().any(|value| value == secrets::MASK);
        let put = {
            let (check, name) = (Arc::clone(&check), name.to_owned());
            move |view: &ConfigView| {
                bounded(view, &name)?;
                let check = |settings, stored: Option<&Settings>| check.check(settings, stored);
                changed(view, &name, change::put(view, &name, settings.clone(), &check)?)
            }
        };
        let put = Arc::new(put);
        let make = || {
            let (before, put) = (Arc::clone(&put), Arc::clone(&put));
            let before = move |view: &ConfigView| {
                match before(view) {
                    // Settings that are already stored need no fence.
                    Ok(now) => Ok(now.records.is_empty().then_some(now.answer)),
                    // The secret that the mask stands for may not have been read here yet.
                    Err(_) if has_mask => Ok(None),
                    // This worker may not have read yet that the connector is stopped, or where its offsets are.
                    Err(Refusal::OffsetsElsewhere { .. } | Refusal::NotStoppedToMove { .. }) => Ok(None),
                    Err(refusal) => Err(refusal),
                }
            };
            async move { self.changes.make_after(before, move |view| put(view)).await.map(|(answer, _)| answer) }
                .boxed()
        };
        self.with_offsets_moved(name, &check, make).await
    }

    /// Changes some of a connector's settings, and returns its entry after the change; `None` removes a setting.
    ///
    /// # Errors
    /// `NotFound` when there is no connector of that name, `Invalid` when its settings would be wrong.
    pub async fn patch_config(
        &self,
        name: &str,
        patch: BTreeMap<String, Option<String>>,
    ) -> Result<ConnectorEntry, OperationError> {
        self.view()?;
        let check = Arc::new(SettingsCheck::new(&self.config, name));
        let patched = {
            let (check, name) = (Arc::clone(&check), name.to_owned());
            move |view: &ConfigView| {
                let check = |settings, stored: Option<&Settings>| check.check(settings, stored);
                changed(view, &name, change::patch(view, &name, &patch, &check)?)
            }
        };
        let patched = Arc::new(patched);
        let make = || {
            let (before, patched) = (Arc::clone(&patched), Arc::clone(&patched));
            let before = move |view: &ConfigView| {
                // Only to run the checks before the fence. If the settings have been changed since this worker read
                // them, the checks are repeated.
                let _ = before(view);
                Ok(None)
            };
            let made = self.changes.make_after(before, move |view| patched(view));
            async move { made.await.map(|((_, entry), _)| entry) }.boxed()
        };
        self.with_offsets_moved(name, &check, make).await
    }

    /// Deletes a connector. Its offsets are kept.
    ///
    /// # Errors
    /// `NotFound` when there is no connector of that name.
    pub async fn delete(&self, name: &str) -> Result<(), OperationError> {
        self.view()?;
        let of = name.to_owned();
        self.changes.make(move |view| change::delete(view, &of)).await?;
        self.forget_topics(name);
        Ok(())
    }

    /// Sets the target state of a connector.
    ///
    /// # Errors
    /// `NotFound` when there is no connector of that name.
    pub async fn set_target(&self, name: &str, target: TargetState) -> Result<(), OperationError> {
        self.connector(name)?;
        let name = name.to_owned();
        self.changes.make(move |view| change::set_target(view, &name, target)).await.map(|_| ())
    }

    /// Restarts a connector, its tasks, or one task, on all workers.
    ///
    /// # Errors
    /// `NotFound` or `TaskNotFound` when there is no such connector or task.
    pub async fn restart(&self, request: RestartRequest) -> Result<(), OperationError> {
        self.connector(&request.connector)?;
        self.changes.make(move |view| change::restart(view, &request)).await.map(|_| ())
    }
}

/// Adds the connector's entry after the change to its answer: a later look might find it changed again, or gone.
fn changed<T>(view: &ConfigView, name: &str, change: Change<T>) -> Result<Change<(T, ConnectorEntry)>, Refusal> {
    let entry = view.entry_after(name, &change.records).ok_or_else(|| Refusal::NotFound(name.to_owned()))?;
    Ok(Change { records: change.records, answer: (change.answer, entry) })
}

fn bounded(view: &ConfigView, name: &str) -> Result<(), Refusal> {
    if view.contains(name) || view.names().count() < CONNECTORS_MAX {
        return Ok(());
    }
    Err(Refusal::Invalid(format!("there are {CONNECTORS_MAX} connectors, and no more can be created")))
}
