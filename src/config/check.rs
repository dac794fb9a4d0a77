//! Rules between settings: among connectors, and between a connector and its worker.

use std::collections::BTreeMap;

use super::connector::ConnectorFile;
use super::connector::topics::{ConnectorTopic, TopicName, topics};
use super::discreet::Discreet;
use super::secrets::{Providers, Resolved};
use super::table::connector::records::OFFSETS_TOPIC;
use super::{ConnectorConfig, Problem, WorkerConfig};
use crate::model::metric_name;

/// Finds connectors with the same name.
pub fn names(given: &[ConnectorFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, connector) in given.iter().enumerate() {
        if let Some(other) = given[..index].iter().find(|other| other.name() == connector.name()) {
            let reason = format!("{:?} is also the name of the connector in {}", connector.name(), other.place);
            problems.push(Problem::new(&connector.place, "name", reason));
        }
    }
    problems
}

/// Resolves the references in a connector's settings, reads the settings, and checks them against its worker's. No
/// problem shows a resolved value.
///
/// # Errors
/// All problems.
pub fn connector(
    worker: Option<&WorkerConfig>,
    place: &str,
    settings: &BTreeMap<String, String>,
) -> Result<(ConnectorConfig, Resolved), Vec<Problem>> {
    let none = Providers::default();
    let providers = worker.map_or(&none, |worker| &worker.providers);
    let resolved = providers.resolve(settings).map_err(|problems| {
        problems.into_iter().map(|(key, reason)| Problem::new(place, &key, reason.to_string())).collect::<Vec<_>>()
    })?;
    let discreet = Discreet::new(place, settings, &resolved.settings);
    let read = super::connector::from_settings(place, &resolved.settings);
    let mut read = read.map_err(|problems| discreet.problems(problems))?;
    read.notes.extend(super::secrets::notes(settings));
    read.notes.extend(region_note(&read));
    read.notes.extend(super::topic_keys::notes(settings.keys()));
    if let Some(worker) = worker {
        let registry = std::mem::take(&mut read.registry).or(&worker.registry);
        (read.converters, read.registry) = (registry.converters(), registry);
    }
    let problems = worker.map_or_else(Vec::new, |worker| discreet.own_problems(with_worker(worker, &read)));
    if problems.is_empty() { Ok((read, resolved)) } else { Err(problems) }
}

/// Returns a note that the region has to come from elsewhere, if neither the settings nor this machine's environment
/// name one. It is no problem: the connector may run on a worker with another environment, and only there can a profile
/// or the machine's metadata be asked for a region.
fn region_note(connector: &ConnectorConfig) -> Option<String> {
    let given = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().any(|name| std::env::var_os(name).is_some());
    (connector.client.region.is_none() && !given).then(|| {
        "kvs.region is not set, and AWS_REGION is not set here: the worker's environment, or its AWS profile, has to \
         name the region, or the connector cannot start"
            .to_owned()
    })
}

/// Rule 13: records that a connector writes to the worker's topics would be read as offsets, or delete some. Each of
/// its outputs has its own topic, because a consumer of one output must not meet records of another.
fn one_topic_one_role(worker: &WorkerConfig, connector: &ConnectorConfig) -> Vec<Problem> {
    let storage = [
        ("offset.storage.topic", worker.offsets_topic.as_str()),
        ("config.storage.topic", &worker.config_topic),
        ("status.storage.topic", &worker.status_topic),
    ];
    let all = topics(Some(worker), connector);
    let mut problems = Vec::new();
    for (index, own) in all.iter().enumerate().filter(|(_, own)| !own.is_workers) {
        let of_worker = all.iter().filter(|other| other.is_workers).map(|other| (other.setting, other.name.text()));
        for (key, topic) in storage.into_iter().chain(of_worker).filter(|(_, topic)| *topic == own.name.text()) {
            let reason = format!("{topic:?} is the worker's {key}: a connector must not write there");
            problems.push(Problem::new(&connector.place, own.setting, reason));
        }
        let shared = all[..index].iter().filter(|other| !other.is_workers).find_map(|other| shared(own, other));
        problems.extend(shared.map(|reason| Problem::new(&connector.place, own.setting, reason)));
    }
    // Records in an offsets topic are read as offsets, and compacted.
    if let Some(topic) = &connector.offsets_topic {
        let written = all.iter().map(|written| (written.is_workers, written.setting, written.name.text()));
        let stored = storage.iter().skip(1).map(|(setting, name)| (true, *setting, *name));
        if let Some((is_workers, setting, _)) = written.chain(stored).find(|(.., name)| name == topic) {
            let whose = if is_workers { "worker's" } else { "connector's" };
            let reason =
                format!("{topic:?} is the {whose} {setting}: offsets need a topic that has nothing else in it");
            problems.push(Problem::new(&connector.place, OFFSETS_TOPIC.name(), reason));
        }
    }
    problems
}

/// Returns why two outputs of a connector could write to the same topic, if they could and no rule decides whose it is.
fn shared(own: &ConnectorTopic<'_>, other: &ConnectorTopic<'_>) -> Option<String> {
    let (text, other_text, setting) = (own.name.text(), other.name.text(), other.setting);
    if text == other_text {
        return Some(format!("{text:?} is the connector's {setting}, too: each needs a topic of its own"));
    }
    if metric_name(text) == metric_name(other_text) {
        return Some(format!(
            "{text:?} differs from the connector's {setting}, {other_text:?}, only by a . in place of a _: Kafka does not accept \
             both; choose another name"
        ));
    }
    let (TopicName::Template(template), TopicName::Template(other)) = (own.name, other.name) else { return None };
    // With more text of its own, one of them is meant (`crate::output::route`).
    let is_tie = template.may_meet(other) && template.literals_bytes() == other.literals_bytes();
    is_tie.then(|| {
        format!(
            "{text:?} and the connector's {setting}, {other_text:?}, can lead to the same topic: each needs topics of its own; put \
             text in front of the variables, or behind them, that the other one has not"
        )
    })
}

fn with_worker(worker: &WorkerConfig, connector: &ConnectorConfig) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(one_topic_one_role(worker, connector));
    problems.extend(connector.registry.problems(&connector.place));
    let (fragment_bytes, budget_bytes) = (connector.fragment_max_size_bytes(), worker.memory_budget_size_bytes);
    if fragment_bytes.saturating_mul(connector.memory_factor() as usize) > budget_bytes {
        let reason = match connector.copies_media() {
            None => format!("{fragment_bytes} is more than the worker's memory.budget.size.bytes, {budget_bytes}"),
            Some(setting) => format!(
                "{fragment_bytes}, twice, is more than the worker's memory.budget.size.bytes, {budget_bytes}: {setting} copies \
                 the media of each fragment"
            ),
        };
        problems.push(Problem::new(&connector.place, "kvs.fragment.max.size.bytes", reason));
    }
    problems
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
