//! Settings of what is published of a fragment, and where.

use kvs_frames::{TrackSelection, TrackSelector};

use crate::config::error::ValueError;
use crate::config::reader::Reader;
use crate::config::table::connector::routing as table;
use crate::config::table::{Optional, RECORD_HEADER};
use crate::model::{
    Partitioning, RecordKey, TOPIC_NAME_MAX_BYTES, Template, VARIABLES, is_kafkas_own_topic, is_topic_name,
};

/// The maximum number of configured headers.
const HEADERS_MAX: usize = 100;

/// Which tracks are published, and what is beside the values of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingConfig {
    /// `tracks`.
    pub tracks: TrackSelection,
    /// `tracks.exclude`.
    pub excluded: Vec<TrackSelector>,
    /// `record.key`.
    pub key: RecordKey,
    /// `record.partition`.
    pub partitioning: Partitioning,
    /// `record.header.*`, by name.
    pub headers: Vec<(String, Template)>,
    /// `record.cloudevents`.
    pub cloudevents: bool,
    /// `record.traceparent`.
    pub traceparent: bool,
    /// `topics.max`.
    pub topics_max: usize,
}

impl RoutingConfig {
    /// Returns whether a track is published.
    pub fn publishes(&self, track: &kvs_mkv::Track) -> bool {
        self.tracks.contains(track) && !self.excluded.iter().any(|selector| selector.contains(track))
    }

    /// Returns whether all tracks are published, whatever a fragment has.
    pub fn publishes_all(&self) -> bool {
        self.tracks.0.is_empty() && self.excluded.is_empty()
    }
}

impl Reader<'_> {
    /// Reads the settings of routing.
    pub(super) fn routing(&mut self) -> Option<RoutingConfig> {
        let tracks = self.selection(&table::TRACKS);
        let excluded = self.selection(&table::TRACKS_EXCLUDE);
        let key = self.read(&table::KEY);
        let partitioning = self.read(&table::PARTITION);
        let headers = self.headers();
        let cloudevents = self.read(&table::CLOUDEVENTS);
        let traceparent = self.read(&table::TRACEPARENT);
        let topics_max = self.read(&table::TOPICS_MAX);
        if partitioning == Some(Partitioning::Key) && key == Some(RecordKey::StreamFragment) {
            self.notes.push(
                "record.partition=key with record.key=stream+fragment spreads the fragments of a stream over all partitions: \
                 consumers do not read them in order"
                    .to_owned(),
            );
        }
        Some(RoutingConfig {
            tracks: tracks?,
            excluded: excluded?.0,
            key: key?,
            partitioning: partitioning?,
            headers: headers?,
            cloudevents: cloudevents?,
            traceparent: traceparent?,
            topics_max: topics_max?,
        })
    }

    pub(super) fn selection(&mut self, key: &Optional<String>) -> Option<TrackSelection> {
        match self.text(key) {
            None => Some(TrackSelection::default()),
            Some(text) => self.checked(key, text.parse::<TrackSelection>()),
        }
    }

    fn headers(&mut self) -> Option<Vec<(String, Template)>> {
        let is_header = |key: &str| key.len() > RECORD_HEADER.name.len() && key.starts_with(RECORD_HEADER.name);
        let given: Vec<(&str, &str)> =
            self.all().filter(|(key, ..)| is_header(key)).map(|(key, _, value)| (key, value)).collect();
        if let Some((key, _)) = given.get(HEADERS_MAX) {
            self.problem_at(key, format!("at most {HEADERS_MAX} headers were expected"));
            return None;
        }
        let mut headers = Vec::new();
        for (key, value) in &given {
            let name = key.trim_start_matches(RECORD_HEADER.name);
            if name.contains('\0') || value.contains('\0') {
                self.problem_at(key, ValueError::Nul);
            } else if is_reserved(name) {
                self.problem_at(key, "is a header that records have anyway, or may have; choose another name");
            } else {
                match table::header().parse(value) {
                    Ok(template) => headers.push((name.to_owned(), template)),
                    Err(error) => self.problem_at(key, error),
                }
            }
        }
        (headers.len() == given.len()).then_some(headers)
    }

    /// Returns the template of a connector's topic, with the connector's name in it.
    pub(super) fn topic_of<P>(
        &mut self,
        key: &crate::config::table::Key<Template, P>,
        template: &Template,
        connector: &str,
    ) -> Option<Template> {
        let template = template.of_connector(connector);
        let can_be_name = template.fixed().is_none_or(|name| is_topic_name(name) && !is_kafkas_own_topic(name))
            && template.literals_bytes() <= TOPIC_NAME_MAX_BYTES
            && template.literals().all(crate::model::has_topic_characters);
        if can_be_name && template.begins_with_senders_choice() {
            let reason = "must begin with text of its own, as in kvs.${tag:site}: whoever sends the video could otherwise \
                choose any topic of the cluster";
            self.problem(key, reason);
            return None;
        }
        if can_be_name {
            return Some(template);
        }
        let reason = format!(
            "{:?} cannot become a topic name, with the connector's name in it: a name of 1 to {TOPIC_NAME_MAX_BYTES} \
             characters of [a-zA-Z0-9._-] was expected, and of variables {VARIABLES}",
            template.text()
        );
        self.problem(key, reason);
        None
    }

    /// Reads the topic of another output, with the connector's name in it; an inner `None`: there is none.
    pub(super) fn other_topic(&mut self, key: &Optional<Template>, connector: &str) -> Option<Option<Template>> {
        match self.read_optional(key)? {
            None => Some(None),
            Some(other) => self.topic_of(key, &other, connector).map(Some),
        }
    }

    /// Reads the topic of an output whose records are about those of `topic`, and so are split by track if those are.
    pub(super) fn topic_beside(
        &mut self,
        key: &Optional<Template>,
        topic: Option<&Template>,
        connector: &str,
    ) -> Option<Option<Template>> {
        let beside = self.other_topic(key, connector)?;
        if let (Some(beside), Some(topic)) = (&beside, topic)
            && beside.has_track() != topic.has_track()
        {
            self.problem(
                key,
                "must contain ${track} if topic does, and only then: its records are about those of topic",
            );
            return None;
        }
        Some(beside)
    }
}

/// Returns whether a header of this name is ours.
fn is_reserved(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.starts_with("kvs.") || lower.starts_with("ce_") || matches!(&*lower, "content-type" | "traceparent")
}

#[cfg(test)]
#[path = "routing_tests.rs"]
mod tests;
