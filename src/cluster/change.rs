//! Decides on changes of connectors: maps the log's content and a request to the records to write, or to a refusal. The
//! functions are pure: they are called under the log's fence, and again when the fence was lost.
//!
//! Records of one transaction become visible one by one, so a connector's own record is written last when it is created, and
//! first when it is deleted: no reader sees half of a connector.

use std::collections::BTreeSet;

use super::records::{self, KeyValue, RestartRequest, Settings, TargetState};
use super::view::ConfigView;
use crate::model::ShardId;
use crate::model::contract::ContractError;

/// Reasons why a change is refused. The texts are Kafka Connect's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The connector does not exist.
    #[error("Connector {0} not found")]
    NotFound(String),
    /// The task does not exist.
    #[error("Unknown task: {0}-{1}")]
    TaskNotFound(String, u32),
    /// The connector already exists.
    #[error("Connector {0} already exists")]
    AlreadyExists(String),
    /// Its settings are wrong.
    #[error("{0}")]
    Invalid(String),
    /// The log belongs to another group, or its group has agreed on something else: under two fences changes would get lost.
    #[error("the config topic: {0}")]
    Contract(#[from] ContractError),
    /// The connector's offsets cannot be altered now.
    #[error(
        "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the \
         specified connector by issuing a 'PUT' request to the '/connectors/{0}/stop' endpoint"
    )]
    NotStopped(String),
}

/// Records to write, and the result to return once they are written.
#[derive(Debug)]
pub struct Change<T> {
    /// The records, in order.
    pub records: Vec<KeyValue>,
    /// The result.
    pub answer: T,
}

/// Settings that have passed all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The settings as they are to be stored.
    pub settings: Settings,
    /// The connector's streams if they are listed; `None` if they are discovered.
    pub streams: Option<Vec<String>>,
}

/// Checks settings, given the stored ones: a masked secret stands for the stored value.
pub type Check<'a> = dyn Fn(Settings, Option<&Settings>) -> Result<Checked, Refusal> + 'a;

/// Creates a connector with a target state.
pub fn create(
    view: &ConfigView,
    name: &str,
    settings: Settings,
    initial: TargetState,
    check: &Check<'_>,
) -> Result<Change<()>, Refusal> {
    if view.contains(name) {
        return Err(Refusal::AlreadyExists(name.to_owned()));
    }
    let checked = check(settings, None)?;
    let mut records = vec![records::target_state(name, Some(initial))];
    records.extend(tasks(view, name, checked.streams.as_deref()));
    records.push(records::connector(name, Some(&checked.settings)));
    Ok(Change { records, answer: () })
}

/// Sets a connector's settings. Returns whether this creates the connector.
pub fn put(view: &ConfigView, name: &str, settings: Settings, check: &Check<'_>) -> Result<Change<bool>, Refusal> {
    let stored = match view.settings(name) {
        None => {
            let Change { records, .. } = create(view, name, settings, TargetState::Started, check)?;
            return Ok(Change { records, answer: true });
        }
        Some(stored) => stored.as_ref().ok(),
    };
    let checked = check(settings, stored)?;
    let mut records = tasks(view, name, checked.streams.as_deref());
    if stored != Some(&checked.settings) {
        records.push(records::connector(name, Some(&checked.settings)));
    }
    Ok(Change { records, answer: false })
}

/// Changes some of a connector's settings; `None` removes one.
pub fn patch(
    view: &ConfigView,
    name: &str,
    patch: &std::collections::BTreeMap<String, Option<String>>,
    check: &Check<'_>,
) -> Result<Change<bool>, Refusal> {
    let mut settings = match view.settings(name) {
        None => return Err(Refusal::NotFound(name.to_owned())),
        Some(Ok(settings)) => settings.clone(),
        Some(Err(reason)) => return Err(Refusal::Invalid(format!("Connector {name} cannot be changed: {reason}"))),
    };
    for (key, value) in patch {
        match value {
            Some(value) => _ = settings.insert(key.clone(), value.clone()),
            None => _ = settings.remove(key),
        }
    }
    put(view, name, settings, check)
}

/// Deletes a connector. Its offsets are kept.
pub fn delete(view: &ConfigView, name: &str) -> Result<Change<()>, Refusal> {
    exists(view, name)?;
    let mut records = vec![records::connector(name, None), records::target_state(name, None)];
    records.extend(tasks(view, name, Some(&[])));
    Ok(Change { records, answer: () })
}

/// Sets the target state of a connector.
pub fn set_target(view: &ConfigView, name: &str, target: TargetState) -> Result<Change<()>, Refusal> {
    exists(view, name)?;
    let records =
        if view.target(name) == target { Vec::new() } else { vec![records::target_state(name, Some(target))] };
    Ok(Change { records, answer: () })
}

/// Requests a restart from all workers.
pub fn restart(view: &ConfigView, request: &RestartRequest) -> Result<Change<()>, Refusal> {
    exists(view, &request.connector)?;
    if let Some(id) = request.task
        && !view.tasks(&request.connector).is_some_and(|tasks| tasks.contains_key(&id))
    {
        return Err(Refusal::TaskNotFound(request.connector.clone(), id));
    }
    Ok(Change { records: vec![records::restart(request)], answer: () })
}

/// Changes nothing, and refuses unless the connector is STOPPED: at the resulting config offset its offsets may be altered.
pub fn stopped(view: &ConfigView, name: &str) -> Result<Change<()>, Refusal> {
    exists(view, name)?;
    match view.target(name) {
        TargetState::Stopped => Ok(Change { records: Vec::new(), answer: () }),
        _ => Err(Refusal::NotStopped(name.to_owned())),
    }
}

/// Tells the owners of shards that offsets in these shards were altered.
pub fn altered(shards: &[ShardId]) -> Change<()> {
    Change { records: vec![records::altered(shards)], answer: () }
}

/// Sets a logger's level on all workers.
pub fn logger(name: &str, level: &str) -> Change<()> {
    Change { records: vec![records::logger(name, level)], answer: () }
}

/// Adds tasks for streams that discovery has found, and removes those of deleted streams.
pub fn found(
    view: &ConfigView,
    name: &str,
    come: &BTreeSet<String>,
    gone: &BTreeSet<String>,
) -> Result<Change<()>, Refusal> {
    exists(view, name)?;
    let mut streams: Vec<String> = match view.tasks(name) {
        Some(tasks) => tasks.values().filter(|stream| !gone.contains(*stream)).cloned().collect(),
        None => Vec::new(),
    };
    let known: BTreeSet<&String> = streams.iter().collect();
    let new: Vec<String> = come.iter().filter(|stream| !known.contains(stream)).cloned().collect();
    streams.extend(new);
    Ok(Change { records: tasks(view, name, Some(&streams)), answer: () })
}

fn exists(view: &ConfigView, name: &str) -> Result<(), Refusal> {
    if view.contains(name) { Ok(()) } else { Err(Refusal::NotFound(name.to_owned())) }
}

/// Returns the records that give each stream a task and remove the tasks of other streams. A remaining stream keeps its id;
/// a new one gets the lowest free id.
fn tasks(view: &ConfigView, name: &str, streams: Option<&[String]>) -> Vec<KeyValue> {
    // Discovered streams are added as they are found; known ones stay until then.
    let Some(streams) = streams else { return Vec::new() };
    let wanted: BTreeSet<&String> = streams.iter().collect();
    let mut records = Vec::new();
    let (mut taken, mut known, mut freed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (&id, stream) in view.tasks(name).into_iter().flatten() {
        if wanted.contains(stream) && known.insert(stream) {
            taken.insert(id);
        } else {
            freed.insert(id);
        }
    }
    let mut free = (0_u32..).filter(|id| !taken.contains(id));
    for stream in streams {
        if known.insert(stream)
            && let Some(id) = free.next()
        {
            // An id that is removed and assigned again in one change is written once.
            freed.remove(&id);
            records.push(records::task(name, id, Some(stream)));
        }
    }
    records.extend(freed.into_iter().map(|id| records::task(name, id, None)));
    records
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
