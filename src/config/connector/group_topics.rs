//! The topics that all connectors of a group have for something else than a template of one of them means.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::fixed_topics;

/// A setting that names a topic, and the connector whose setting it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    connector: String,
    setting: String,
}

/// Which settings of which connectors name a topic. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct GroupTopics(Arc<RwLock<HashMap<String, Vec<Named>>>>);

impl GroupTopics {
    /// Replaces what is known by the settings of these connectors. Templates count for nothing here: which of them a name belongs to
    /// cannot be known.
    pub fn set<'a>(&self, connectors: impl Iterator<Item = (&'a String, &'a BTreeMap<String, String>)>) {
        let mut topics: HashMap<String, Vec<Named>> = HashMap::new();
        for (connector, settings) in connectors {
            for (setting, topic) in fixed_topics(connector, settings) {
                let named = Named { connector: connector.clone(), setting: setting.clone() };
                topics.entry(topic).or_default().push(named);
            }
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = topics;
    }

    /// Returns what another connector has a topic for, unless that is the same as this connector's setting is for: connectors may
    /// share the topic of an output.
    pub fn role(&self, connector: &str, setting: &str, topic: &str) -> Option<String> {
        let topics = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_other = |named: &&Named| named.connector != connector && named.setting != setting;
        let Named { connector, setting } = topics.get(topic)?.iter().find(is_other)?;
        Some(format!("the {setting} of connector {connector:?}"))
    }
}

#[cfg(test)]
#[path = "group_topics_tests.rs"]
mod tests;
