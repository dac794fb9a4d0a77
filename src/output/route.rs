//! The outputs of a connector: each with its topic, or with the topics that a template leads to.
//!
//! **Contract.** A topic that a template leads to is created or checked when a fragment first needs it, in the stream's task;
//! another fragment that needs the same topic waits for that. A name that is not a topic's, or a topic that is for
//! something else, is refused by name: nothing is written to a topic that the template does not mean. Whose a name is depends on
//! nothing but settings: where two templates of the connector lead to one name, it belongs to the one with more text of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use kvs_client::Fragment;

use super::error::{OpenError, ProjectError, RouteError};
use super::headers::variable_value;
use super::kind::{Origin, Output, OutputKind};
use super::payloads::Payloads;
use crate::config::connector::group_topics::GroupTopics;
use crate::config::connector::routing::RoutingConfig;
use crate::kafka::TopicError;
use crate::model::{OffsetKey, OutputId, Template, is_kafkas_own_topic, is_topic_name};

/// The maximum number of characters of a wrong name that errors show.
const SHOWN_MAX_CHARS: usize = 100;

/// The maximum number of tags that errors show.
const SHOWN_MAX_TAGS: usize = 10;

/// Opens the outputs that templates lead to.
pub(super) trait OpenTopic: Send + Sync {
    /// Creates or checks a topic and opens the output to it.
    fn open<'a>(
        &'a self,
        kind: &'static dyn OutputKind,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn Output>, OpenError>>;
}

/// The outputs of a connector, in the order in which they are called.
#[derive(Clone)]
pub struct Outputs(Arc<Inner>);

struct Inner {
    routes: Vec<Route>,
    routing: Option<RoutingConfig>,
    payloads: Option<Payloads>,
    /// Which topics of templates each stream has been written to.
    written: Mutex<BTreeMap<OffsetKey, BTreeSet<Arc<str>>>>,
}

/// One output of a connector.
pub(super) enum Route {
    /// To one topic.
    Fixed(Arc<dyn Output>),
    /// To the topics that a template leads to.
    Named(NamedTopics),
}

impl Route {
    /// Returns which output it is.
    pub(super) fn id(&self) -> OutputId {
        match self {
            Self::Fixed(output) => output.of_record().id,
            Self::Named(named) => named.kind.id(),
        }
    }

    /// Returns the output to the topic of a fragment, or of its part of `origin.track`.
    ///
    /// # Errors
    /// When a template leads to no topic for the fragment, or to one that cannot be opened at the moment.
    pub(super) async fn output(
        &self,
        origin: &Origin<'_>,
        fragment: &Fragment,
    ) -> Result<Arc<dyn Output>, ProjectError> {
        match self {
            Self::Fixed(output) => Ok(Arc::clone(output)),
            Self::Named(named) => named.output(&named.name(origin, fragment)?).await,
        }
    }

    /// Returns whether each of its topics is one of a track.
    pub(super) fn is_per_track(&self) -> bool {
        matches!(self, Self::Named(named) if named.template.has_track())
    }
}

/// The topics that a template leads to.
pub(super) struct NamedTopics {
    pub(super) kind: &'static dyn OutputKind,
    /// The setting that has the template.
    pub(super) setting: &'static str,
    pub(super) template: Template,
    pub(super) opened: Arc<OpenedTopics>,
}

/// What a connector's templates must not lead to.
#[derive(Default)]
pub(super) struct Taken {
    /// The connector.
    pub(super) connector: String,
    /// Topics of the worker and of the connector, each with what it is for.
    pub(super) topics: Vec<(String, String)>,
    /// The connector's templates, with their settings.
    pub(super) templates: Vec<(&'static str, Template)>,
    /// The topics of the group's other connectors.
    pub(super) group: GroupTopics,
}

impl Taken {
    /// Returns what a topic is for, if it is for something else than what this setting's template leads to.
    fn role(&self, setting: &'static str, template: &Template, topic: &str) -> Option<String> {
        if is_kafkas_own_topic(topic) {
            return Some("Kafka's own topic".to_owned());
        }
        let known = self.topics.iter().find(|(taken, _)| taken == topic).map(|(_, role)| role.clone());
        let of_template = || {
            let is_meant =
                |other: &Template| other.literals_bytes() > template.literals_bytes() && other.can_become(topic);
            let (setting, other) = self.templates.iter().find(|(other, text)| *other != setting && is_meant(text))?;
            Some(format!("a topic of the connector's {setting}={}", other.text()))
        };
        known.or_else(of_template).or_else(|| self.group.role(&self.connector, setting, topic))
    }
}

/// The topics of a connector that templates have led to, on this worker.
pub(super) struct OpenedTopics {
    opener: Box<dyn OpenTopic>,
    /// Topics that are for something else.
    taken: Taken,
    topics_max: usize,
    opened: Mutex<BTreeMap<Arc<str>, Arc<dyn Output>>>,
    /// Held while a topic is opened, so that no two are at once.
    opening: tokio::sync::Mutex<()>,
}

impl OpenedTopics {
    /// Creates an empty set of at most this many topics, none of which is `taken`.
    pub(super) fn new(opener: Box<dyn OpenTopic>, taken: Taken, topics_max: usize) -> Self {
        Self { opener, taken, topics_max, opened: Mutex::default(), opening: tokio::sync::Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Arc<dyn Output>>> {
        // Nothing panics while the lock is held, and a map is never half changed.
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the output to a topic if the topic has been opened and exists.
    fn known(&self, name: &str) -> Option<Arc<dyn Output>> {
        let known = self.lock().get(name).cloned()?;
        known.topic().partitions.count().is_ok().then_some(known)
    }
}

impl NamedTopics {
    /// Returns the name of a fragment's topic, or of the topic of its part of `origin.track`.
    ///
    /// # Errors
    /// When the template does not lead to a topic's name.
    fn name(&self, origin: &Origin<'_>, fragment: &Fragment) -> Result<String, RouteError> {
        let rendered = self.template.render(|variable| variable_value(variable, origin, fragment, origin.track));
        let template = || self.template.text().to_owned();
        let name = rendered.map_err(|variable| RouteError::Missing {
            setting: self.setting,
            template: template(),
            variable: variable.to_string(),
            has: tags_of(fragment),
        })?;
        if !is_topic_name(&name) {
            let beginning = beginning(&name);
            let more = if beginning.len() < name.len() { "…" } else { "" };
            let found = format!("{beginning:?}{more}");
            return Err(RouteError::NotTopic { setting: self.setting, template: template(), found });
        }
        match self.opened.taken.role(self.setting, &self.template, &name) {
            Some(role) => Err(RouteError::Taken { setting: self.setting, template: template(), topic: name, role }),
            None => Ok(name),
        }
    }

    /// Returns the output to a topic, which is opened if it is not open yet or no longer exists.
    ///
    /// # Errors
    /// When the topic is another output's, is one too many, or cannot be opened at the moment.
    async fn output(&self, name: &str) -> Result<Arc<dyn Output>, ProjectError> {
        if let Some(known) = self.opened.known(name) {
            return Ok(self.own(name, known)?);
        }
        let _opening = self.opened.opening.lock().await;
        if let Some(known) = self.opened.known(name) {
            return Ok(self.own(name, known)?);
        }
        let topics_max = self.opened.topics_max;
        let (is_known, count) = {
            let opened = self.opened.lock();
            (opened.contains_key(name), opened.len())
        };
        if !is_known && count >= topics_max {
            let (template, topic) = (self.template.text().to_owned(), name.to_owned());
            return Err(RouteError::TooMany { setting: self.setting, template, topic, most: topics_max }.into());
        }
        let opened = self.opened.opener.open(self.kind, name).await;
        let opened = opened.map_err(|error| self.not_opened(error))?;
        self.opened.lock().insert(Arc::clone(&opened.topic().name), Arc::clone(&opened));
        Ok(opened)
    }

    /// Returns why a topic cannot be opened: because of its name, whatever happens, or at the moment.
    fn not_opened(&self, error: OpenError) -> ProjectError {
        match error.downcast_ref::<TopicError>() {
            Some(TopicError::Refused { faults, .. }) if faults.iter().any(|fault| fault.is_name) => {
                let (template, reason) = (self.template.text().to_owned(), error.to_string());
                RouteError::Refused { setting: self.setting, template, reason }.into()
            }
            _ => ProjectError::Topic { setting: self.setting, source: error },
        }
    }

    /// Refuses an output of another kind.
    fn own(&self, name: &str, known: Arc<dyn Output>) -> Result<Arc<dyn Output>, RouteError> {
        let id = known.of_record().id;
        if id == self.kind.id() {
            return Ok(known);
        }
        Err(RouteError::Taken {
            setting: self.setting,
            template: self.template.text().to_owned(),
            topic: name.to_owned(),
            role: format!("a topic of the connector's {id}"),
        })
    }
}

/// Says which tags a fragment has: a variable without a value is often spelt in another way.
fn tags_of(fragment: &Fragment) -> String {
    let mut tags = fragment.tags();
    let names: Vec<String> =
        tags.by_ref().take(SHOWN_MAX_TAGS).map(|tag| format!("{:?}", beginning(tag.name.as_ref()))).collect();
    let more = if tags.next().is_some() { ", …" } else { "" };
    match names.is_empty() {
        true => "it has no tags (those of its stream do not count)".to_owned(),
        false => format!("its tags are {}{more} (those of its stream do not count)", names.join(", ")),
    }
}

fn beginning(text: &str) -> String {
    text.chars().take(SHOWN_MAX_CHARS).collect()
}

impl Outputs {
    /// Creates a list of these outputs, in this order, each with one topic.
    pub fn new(outputs: impl IntoIterator<Item = Arc<dyn Output>>) -> Self {
        Self::of_routes(outputs.into_iter().map(Route::Fixed).collect(), None, None)
    }

    /// Creates a list of these outputs, in this order.
    pub(super) fn of_routes(routes: Vec<Route>, routing: Option<RoutingConfig>, payloads: Option<Payloads>) -> Self {
        Self(Arc::new(Inner { routes, routing, payloads, written: Mutex::default() }))
    }

    /// Returns whether the connector has this output.
    pub(super) fn has(&self, output: OutputId) -> bool {
        self.routes().iter().any(|route| route.id() == output)
    }

    /// Returns what happens to payloads; `None`: they are in the records of their fragments.
    pub(super) fn payloads(&self) -> Option<&Payloads> {
        self.0.payloads.as_ref()
    }

    /// Returns the outputs.
    pub(super) fn routes(&self) -> &[Route] {
        &self.0.routes
    }

    /// Returns which tracks are published; `None`: all.
    pub(super) fn chosen_tracks(&self) -> Option<&RoutingConfig> {
        self.0.routing.as_ref().filter(|routing| !routing.publishes_all())
    }

    /// Returns the outputs with one topic.
    pub(super) fn fixed(&self) -> impl Iterator<Item = &Arc<dyn Output>> {
        self.routes().iter().filter_map(|route| match route {
            Route::Fixed(output) => Some(output),
            Route::Named(_) => None,
        })
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<OffsetKey, BTreeSet<Arc<str>>>> {
        // Nothing panics while the lock is held, and a set is never half changed.
        self.0.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a stream is written to a topic that a template has led to.
    pub(super) fn note_written(&self, key: &OffsetKey, topic: &Arc<str>) {
        let mut written = self.written();
        match written.get_mut(key) {
            Some(topics) => _ = topics.insert(Arc::clone(topic)),
            None => _ = written.insert(key.clone(), BTreeSet::from([Arc::clone(topic)])),
        }
    }

    fn needed_fixed(&self) -> impl Iterator<Item = Arc<str>> {
        let needed = self.fixed().filter(|output| !output.of_record().may_be_dropped());
        needed.map(|output| Arc::clone(&output.topic().name))
    }

    /// Returns whether a stream needs all of these topics.
    pub fn needs_all(&self, key: &OffsetKey, topics: &BTreeSet<Arc<str>>) -> bool {
        let mut needed: BTreeSet<Arc<str>> = self.needed_fixed().collect();
        needed.extend(self.written().get(key).into_iter().flatten().cloned());
        topics.is_subset(&needed)
    }
}

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
