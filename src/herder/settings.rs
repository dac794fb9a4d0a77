//! Checks a connector's settings on this worker before they are stored.

use std::sync::{Arc, Mutex, PoisonError};

use crate::cluster::change::{Checked, OffsetsMove};
use crate::cluster::{Refusal, Settings};
use crate::config::connector::topics::topics;
use crate::config::connector::{CLASS, StreamsConfig};
use crate::config::{Problem, WorkerConfig, check, secrets};
use crate::model::Template;

/// Checks the settings of one change. A check reads files of secrets, so it is made before the log's fence is acquired,
/// and repeated under it only if the stored settings have changed in between.
pub(super) struct SettingsCheck {
    config: Arc<WorkerConfig>,
    name: String,
    /// The settings that were checked last, and the result.
    last: Mutex<Option<(Settings, Result<Checked, Refusal>)>>,
    /// The move of the connector's offsets that was made for the change.
    moved: Mutex<Option<OffsetsMove>>,
}

impl SettingsCheck {
    pub(super) fn new(config: &Arc<WorkerConfig>, name: &str) -> Self {
        Self { config: Arc::clone(config), name: name.to_owned(), last: Mutex::default(), moved: Mutex::default() }
    }

    /// Makes the change complete a move of the connector's offsets.
    pub(super) fn offsets_were_moved(&self, moved: OffsetsMove) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Some(moved);
    }

    /// Checks settings, given those that are stored: a masked secret stands for the stored one.
    pub(super) fn check(&self, settings: Settings, stored: Option<&Settings>) -> Result<Checked, Refusal> {
        let moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.checked(settings, stored).map(|checked| Checked { moved, ..checked })
    }

    fn checked(&self, mut settings: Settings, stored: Option<&Settings>) -> Result<Checked, Refusal> {
        settings.entry("name".to_owned()).or_insert_with(|| self.name.clone());
        let settings = secrets::unmasked(settings, stored);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((checked, answer)) = &*last
            && *checked == settings
        {
            return answer.clone();
        }
        let answer = check_settings(&self.config, &settings);
        *last = Some((settings, answer.clone()));
        answer
    }
}

fn check_settings(config: &WorkerConfig, settings: &Settings) -> Result<Checked, Refusal> {
    let (read, _) = check::connector(Some(config), "settings", settings).map_err(|problems| invalid(&problems))?;
    let streams = match &read.streams {
        StreamsConfig::Listed(streams) => Some(streams.iter().map(|stream| stream.as_str().to_owned()).collect()),
        StreamsConfig::Discovered(_) => None,
    };
    let written = topics(Some(config), &read).into_iter().filter(|topic| !topic.is_workers);
    let topics = written.filter_map(|topic| Template::parse(topic.name.text()).ok()).collect();
    let offsets_topic = read.offsets_topic.filter(|topic| *topic != config.offsets_topic);
    Ok(Checked { settings: settings.clone(), streams, topics, offsets_topic, moved: None })
}

/// Returns Kafka Connect's message for invalid settings.
fn invalid(problems: &[Problem]) -> Refusal {
    let said = problems.iter().map(|problem| {
        if problem.key.is_empty() { problem.reason.clone() } else { format!("{}: {}", problem.key, problem.reason) }
    });
    Refusal::Invalid(format!(
        "Connector configuration is invalid and contains the following {} error(s):\n{}\nYou can also find the above list \
         of errors at the endpoint `/connector-plugins/{CLASS}/config/validate`",
        problems.len(),
        said.collect::<Vec<_>>().join("\n")
    ))
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
