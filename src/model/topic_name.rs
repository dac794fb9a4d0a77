//! Names of Kafka topics.

use std::collections::BTreeMap;

use super::template::Template;

/// The maximum length of a topic's name in Kafka, in bytes.
pub const TOPIC_NAME_MAX_BYTES: usize = 249;

/// Returns whether Kafka accepts a topic of this name: 1 to 249 letters, digits, dots, hyphens and underscores, but neither
/// `.` nor `..`.
pub fn is_topic_name(name: &str) -> bool {
    !matches!(name, "." | "..") && (1..=TOPIC_NAME_MAX_BYTES).contains(&name.len()) && has_topic_characters(name)
}

/// Returns whether a connector's setting of this name names a topic.
pub fn names_topic(setting: &str) -> bool {
    setting == "topic" || setting.ends_with(".topic") || setting.ends_with(".topic.name")
}

/// Returns the settings of a connector that name one topic whatever the fragment, with that topic.
pub fn fixed_topics<'a>(
    connector: &str,
    settings: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (&'a String, String)> {
    let named = settings.iter().filter(|(setting, _)| names_topic(setting));
    named.filter_map(move |(setting, text)| {
        let template = Template::parse(text).ok()?.of_connector(connector);
        Some((setting, template.fixed()?.to_owned()))
    })
}

/// Returns whether Kafka has this topic for itself: nobody else may write there.
pub fn is_kafkas_own_topic(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state" | "__cluster_metadata")
}

/// Returns the name with which a topic's metrics are labelled: Kafka refuses a topic if another one's is the same.
pub fn metric_name(topic: &str) -> String {
    topic.replace('.', "_")
}

/// Returns whether a text has only characters that a topic's name may have.
pub fn has_topic_characters(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
