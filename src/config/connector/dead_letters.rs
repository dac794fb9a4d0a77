//! Settings of dead letters: where the fragments go that `errors.tolerance=all` skips.

use crate::config::reader::Reader;
use crate::config::restart::ErrorsTolerance;
use crate::config::table::connector::pulling as table;

/// The topic of a connector's dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterConfig {
    /// `errors.deadletterqueue.topic.name`.
    pub topic: String,
    /// `errors.deadletterqueue.topic.replication.factor`.
    pub replication_factor: Option<i32>,
    /// `errors.deadletterqueue.value.max.bytes`.
    pub value_max_bytes: usize,
}

impl Reader<'_> {
    /// Reads the settings of dead letters; an inner `None`: there is no topic for them.
    pub(super) fn dead_letters(&mut self, tolerance: Option<ErrorsTolerance>) -> Option<Option<DeadLetterConfig>> {
        let topic = self.read_optional(&table::DEAD_LETTER_TOPIC);
        let replication_factor = self.read_optional(&table::DEAD_LETTER_REPLICATION);
        let value_max_bytes = self.read(&table::DEAD_LETTER_MAX_BYTES);
        if topic == Some(None) {
            let given = [
                (table::DEAD_LETTER_REPLICATION.name(), self.is_given(&table::DEAD_LETTER_REPLICATION)),
                (table::DEAD_LETTER_MAX_BYTES.name(), self.is_given(&table::DEAD_LETTER_MAX_BYTES)),
            ];
            for (name, _) in given.into_iter().filter(|(_, given)| *given) {
                self.problem_at(name, "has no effect without errors.deadletterqueue.topic.name, which is not set");
            }
        }
        if matches!(topic, Some(Some(_))) && tolerance == Some(ErrorsTolerance::None) {
            let reason = "needs errors.tolerance=all: with none a stream fails instead, and nothing is skipped";
            self.problem(&table::DEAD_LETTER_TOPIC, reason);
        }
        let (replication_factor, value_max_bytes) = (replication_factor?, value_max_bytes?);
        Some(topic?.map(|topic| DeadLetterConfig { topic, replication_factor, value_max_bytes }))
    }
}
