//! Decides on changes of connectors: maps the log's content and a request to the records to write, or to a refusal. The
//! functions are pure: they are called under the log's fence, and again when the fence was lost.
//!
//! Records of one transaction become visible one by one, so a connector's own record is written last when it is created, and
//! first when it is deleted: no reader sees half of a connector.

use std::collections::BTreeSet;

use super::records::{self, AlteredShards, KeyValue, OffsetsHome, RestartRequest, Settings, TargetState};
use super::view::ConfigView;
use crate::model::contract::ContractError;
use crate::model::{Template, fixed_topics, names_topic};

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
    /// Its offsets cannot be moved to another topic now.
    #[error(
        "the offsets of connector {name} are in {}, and its settings name another offsets.storage.topic. To leave them there, \
         {} (in the connector's file, too, if workers are started with one). To move them, stop the connector first: \
         Connectors must be in the STOPPED state before their offsets.storage.topic can be changed. This can be done for \
         the specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint",
        named(from.as_deref()), naming(from.as_deref())
    )]
    NotStoppedToMove {
        /// The connector.
        name: String,
        /// The offsets topic they are in; `None`: the worker's.
        from: Option<String>,
    },
    /// Its offsets are in another topic than its settings name: they have to be moved first ([`begin_move`]).
    #[error(
        "the offsets of connector {name} are in {} and not in {}, and were not moved, for the connector was changed \
         meanwhile; try again", named(from.as_deref()), named(to.as_deref())
    )]
    OffsetsElsewhere {
        /// The connector.
        name: String,
        /// The offsets topic they are in; `None`: the worker's.
        from: Option<String>,
        /// The one that the settings name.
        to: Option<String>,
    },
    /// Its offsets are being moved to another topic.
    #[error("the offsets of connector {0} are being moved to another topic; try again when that is done")]
    OffsetsMoving(String),
    /// Its offsets were lost with their topic, and nobody has said since where its streams go on.
    #[error(
        "topic {topic} (offsets.storage.topic) was deleted and recreated, and the positions of the streams of connector {name} \
         are lost: stop the connector, and set or reset the offsets of all its streams in one request; or delete it and create it again \
         with another topic, and its streams start over"
    )]
    OffsetsLost {
        /// The connector.
        name: String,
        /// The topic.
        topic: String,
    },
}

fn named(topic: Option<&str>) -> String {
    topic.map_or_else(|| "the worker's offset.storage.topic".to_owned(), |topic| format!("topic {topic}"))
}

/// Returns how settings name an offsets topic.
fn naming(topic: Option<&str>) -> String {
    topic.map_or_else(
        || "leave offsets.storage.topic out".to_owned(),
        |topic| format!("set offsets.storage.topic={topic}"),
    )
}

/// Records to write, and the result to return once they are written.
#[derive(Debug)]
pub struct Change<T> {
    /// The records, in order.
    pub records: Vec<KeyValue>,
    /// The result.
    pub answer: T,
}

/// Settings that were found right.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked {
    /// The settings as they are to be stored.
    pub settings: Settings,
    /// The connector's streams if they are listed; `None` if they are discovered.
    pub streams: Option<Vec<String>>,
    /// The topics that the connector writes records to.
    pub topics: Vec<Template>,
    /// The offsets topic that they name; `None`: the worker's.
    pub offsets_topic: Option<String>,
    /// A move of the connector's offsets to that topic that is complete but for the change.
    pub moved: Option<OffsetsMove>,
}

/// Offsets of a connector that were copied to another offsets topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetsMove {
    /// The move's id, by which the log says whether the connector was changed meanwhile.
    pub id: String,
    /// The shards they were copied to.
    pub to: AlteredShards,
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
    one_topic_one_role(view, name, &checked)?;
    let mut records = home(view, name, &checked)?;
    records.push(records::target_state(name, Some(initial)));
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
    one_topic_one_role(view, name, &checked)?;
    let mut records = home(view, name, &checked)?;
    records.extend(tasks(view, name, checked.streams.as_deref()));
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
    records.extend(end_move(view, name));
    Ok(Change { records, answer: () })
}

/// Rule 13 between connectors: what one writes to the offsets topic of another would be taken for offsets, or delete them.
fn one_topic_one_role(view: &ConfigView, name: &str, checked: &Checked) -> Result<(), Refusal> {
    let writes_to = |topic: &str| checked.topics.iter().any(|written| written.can_become(topic));
    if let Some((owner, topic)) = view.homes().find(|(_, topic)| writes_to(topic)) {
        return Err(Refusal::Invalid(format!(
            "{topic:?} is the offsets topic of connector {owner:?} (offsets.storage.topic): no connector must write records there"
        )));
    }
    if let Some(reason) = another_ones(view, name, &checked.settings) {
        return Err(Refusal::Invalid(reason));
    }
    let Some(own) = &checked.offsets_topic else { return Ok(()) };
    let writes = |other: &&String| {
        let settings = view.settings(other).and_then(|settings| settings.as_ref().ok());
        let is_topic = |key: &str| key != "offsets.storage.topic" && names_topic(key);
        let mut topics = settings.into_iter().flatten().filter(|(key, _)| is_topic(key));
        let can_be_own =
            |topic: &str| Template::parse(topic).is_ok_and(|topic| topic.of_connector(other).can_become(own));
        *other != name && topics.any(|(_, topic)| can_be_own(topic))
    };
    match view.names().find(writes) {
        None => Ok(()),
        Some(other) => Err(Refusal::Invalid(format!(
            "offsets.storage.topic: connector {other:?} writes to {own:?}: offsets need a topic that has nothing else in it"
        ))),
    }
}

/// Returns why a connector cannot have a topic: another one has it for something else. Connectors may share a topic of one kind.
fn another_ones(view: &ConfigView, name: &str, settings: &Settings) -> Option<String> {
    let own: Vec<(&String, String)> = fixed_topics(name, settings).collect();
    view.names().filter(|other| *other != name).find_map(|other| {
        let others: Vec<(&String, String)> =
            fixed_topics(other, view.settings(other)?.as_ref().ok()?).collect();
        let is_same = |(setting, topic): &(&String, String)| {
            others.iter().find(|(other, theirs)| theirs == topic && other != setting).map(|(other, _)| *other)
        };
        let (setting, topic, others) = own.iter().find_map(|one| Some((one.0, &one.1, is_same(one)?)))?;
        Some(format!(
            "{setting}: {topic:?} is the {others} of connector {other:?}: a topic has records of one kind; choose another name"
        ))
    })
}

/// Returns the records by which a connector's offsets are in the topic that its settings name.
///
/// # Errors
/// When they are in another one, from which they have not been moved.
fn home(view: &ConfigView, name: &str, checked: &Checked) -> Result<Vec<KeyValue>, Refusal> {
    let home = offsets_home(view, name)?;
    if let Some(moved) = &checked.moved
        && home.moving.as_ref() == Some(&moved.id)
        && moved.to.topic == checked.offsets_topic
    {
        let home = OffsetsHome { topic: moved.to.topic.clone(), ..OffsetsHome::default() };
        return Ok(vec![records::altered(&moved.to), records::offsets_home(name, &home)]);
    }
    if home.topic == checked.offsets_topic {
        return Ok(end_move(view, name).into_iter().collect());
    }
    may_move(view, name)?;
    Err(Refusal::OffsetsElsewhere { name: name.to_owned(), from: home.topic, to: checked.offsets_topic.clone() })
}

/// Returns where the offsets of a connector are.
///
/// # Errors
/// When the log's record of it cannot be read.
pub fn offsets_home(view: &ConfigView, name: &str) -> Result<OffsetsHome, Refusal> {
    view.offsets_home(name).map_err(|error| Refusal::Invalid(format!("the offsets topic of connector {name}: {error}")))
}

/// Refuses to go on when the offsets of a connector are no longer in the topic (`None`: the worker's) where they were found.
fn still_in(view: &ConfigView, name: &str, topic: Option<&str>) -> Result<OffsetsHome, Refusal> {
    let home = offsets_home(view, name)?;
    if home.topic.as_deref() == topic {
        return Ok(home);
    }
    Err(Refusal::OffsetsElsewhere { name: name.to_owned(), from: home.topic, to: topic.map(str::to_owned) })
}

/// Takes away the mark of a move that has begun: what it has copied may be out of date by the change that this stands in.
fn end_move(view: &ConfigView, name: &str) -> Option<KeyValue> {
    let home = view.offsets_home(name).ok()?;
    home.moving.is_some().then(|| records::offsets_home(name, &OffsetsHome { moving: None, ..home }))
}

/// Refuses a connector that runs, or may run again without a change of its own.
fn may_move(view: &ConfigView, name: &str) -> Result<(), Refusal> {
    if !view.contains(name) || view.target(name) == TargetState::Stopped {
        return Ok(());
    }
    Err(Refusal::NotStoppedToMove { name: name.to_owned(), from: offsets_home(view, name)?.topic })
}

/// Marks that the offsets of a connector are about to be moved out of a topic (`None`: the worker's). From where this stands
/// in the log nobody publishes for the connector, unless the mark is gone.
///
/// # Errors
/// When the connector runs, or its offsets are elsewhere or lost.
pub fn begin_move(view: &ConfigView, name: &str, from: Option<&str>, id: &str) -> Result<Change<()>, Refusal> {
    may_move(view, name)?;
    let home = still_in(view, name, from)?;
    if view.contains(name) {
        are_there(name, &home)?;
    }
    let home = OffsetsHome { moving: Some(id.to_owned()), ..home };
    Ok(Change { records: vec![records::offsets_home(name, &home)], answer: () })
}

/// Writes the mark of a move again, at a later config offset, if it is still there: nothing was done with the connector in
/// between, and what was taken out of the old topic is still right. Returns whether it is.
///
/// # Errors
/// When the log's record of the connector's offsets topic cannot be read.
pub fn continue_move(view: &ConfigView, name: &str, id: &str) -> Result<Change<bool>, Refusal> {
    let home = offsets_home(view, name)?;
    let answer = home.moving.as_deref() == Some(id);
    let records = if answer { vec![records::offsets_home(name, &home)] } else { Vec::new() };
    Ok(Change { records, answer })
}

/// Changes nothing, and refuses unless the offsets of a connector are in a topic (`None`: the worker's): at the resulting
/// config offset those in other topics are unused.
///
/// # Errors
/// When they are elsewhere.
pub fn moved(view: &ConfigView, name: &str, topic: Option<&str>) -> Result<Change<()>, Refusal> {
    still_in(view, name, topic)?;
    Ok(Change { records: Vec::new(), answer: () })
}

/// Refuses a connector whose offsets were lost with their topic.
///
/// # Errors
/// When they were.
pub fn are_there(name: &str, home: &OffsetsHome) -> Result<(), Refusal> {
    match &home.topic {
        Some(topic) if home.lost => Err(Refusal::OffsetsLost { name: name.to_owned(), topic: topic.clone() }),
        _ => Ok(()),
    }
}

/// Sets the target state of a connector.
pub fn set_target(view: &ConfigView, name: &str, target: TargetState) -> Result<Change<()>, Refusal> {
    exists(view, name)?;
    if view.target(name) == target {
        return Ok(Change { records: Vec::new(), answer: () });
    }
    let records = end_move(view, name).into_iter().chain([records::target_state(name, Some(target))]);
    Ok(Change { records: records.collect(), answer: () })
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

/// Refuses unless the connector is STOPPED.
pub fn stopped(view: &ConfigView, name: &str) -> Result<(), Refusal> {
    exists(view, name)?;
    match view.target(name) {
        TargetState::Stopped => Ok(()),
        _ => Err(Refusal::NotStopped(name.to_owned())),
    }
}

/// Begins an alteration of a connector's offsets: a move that has begun before may have read them already, and is not
/// completed.
///
/// # Errors
/// When the connector is not STOPPED.
pub fn begin_alteration(view: &ConfigView, name: &str) -> Result<Change<()>, Refusal> {
    stopped(view, name)?;
    Ok(Change { records: end_move(view, name).into_iter().collect(), answer: () })
}

/// Refuses unless the connector is STOPPED and its offsets are in a topic (`None`: the worker's), out of which no move has begun:
/// they may be altered there at this config offset, and a later move takes them along.
pub fn may_alter(view: &ConfigView, name: &str, topic: Option<&str>) -> Result<(), Refusal> {
    stopped(view, name)?;
    match still_in(view, name, topic)?.moving {
        None => Ok(()),
        Some(_) => Err(Refusal::OffsetsMoving(name.to_owned())),
    }
}

/// Marks the offsets of all other connectors in a topic as lost, before the topic, which was deleted and recreated, is begun
/// again for a connector that is STOPPED: theirs are not set along with its own, and must not be taken for none. At the
/// resulting config offset the topic may be begun.
///
/// # Errors
/// When the connector is not STOPPED, or its offsets are elsewhere.
pub fn begin_again(view: &ConfigView, name: &str, topic: &str) -> Result<Change<()>, Refusal> {
    stopped(view, name)?;
    still_in(view, name, Some(topic))?;
    let others = view.homes().filter(|(other, home)| *other != name && *home == topic);
    let records = others.map(|(other, _)| {
        let home = OffsetsHome { topic: Some(topic.to_owned()), moving: None, lost: true };
        records::offsets_home(other, &home)
    });
    Ok(Change { records: records.collect(), answer: () })
}

/// What was altered of a connector's offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Some of them.
    Some,
    /// Those of all of its streams: if they were lost, they no longer are.
    All,
}

/// Tells the owners of shards that a connector's offsets were altered in them. A move of the offsets that has begun meanwhile
/// may have read them before, and is not completed.
///
/// # Errors
/// When the offsets were moved to another topic since, with what was altered.
pub fn altered(view: &ConfigView, name: &str, altered: &AlteredShards, extent: Extent) -> Result<Change<()>, Refusal> {
    let home = still_in(view, name, altered.topic.as_deref())?;
    let now = OffsetsHome { moving: None, lost: home.lost && extent == Extent::Some, ..home.clone() };
    let home = (now != home).then(|| records::offsets_home(name, &now));
    Ok(Change { records: [records::altered(altered)].into_iter().chain(home).collect(), answer: () })
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
