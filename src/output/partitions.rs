//! The partitions of a stream's records, one for each topic.
//!
//! **Contract.** A stream stays in the partition that is stored with its offset, which keeps its order when partitions are added.
//! Of the topics that templates lead to, the last [`REMEMBERED_MAX`] are stored: a stream that comes back to a topic after that
//! many others gets its partition by the topic's current number of partitions.

use crate::kafka::TopicUnusable;
use crate::model::{DataPartition, StoredOffset, partition_for};

use super::kind::OutputTopic;

/// The number of topics of templates whose partitions are stored with an offset.
const REMEMBERED_MAX: usize = 32;

/// The partitions of one stream.
pub(super) struct StreamPartitions {
    stream_name: String,
    /// Those of topics that every fragment is written to.
    fixed: Vec<DataPartition>,
    /// Those of topics that templates lead to, the one that was written to last at the end.
    named: Vec<DataPartition>,
    /// Topics of templates whose partitions are known to accept records.
    checked: Vec<String>,
    has_templates: bool,
}

impl StreamPartitions {
    /// Returns the partitions that are stored with a position. `has_templates`: there are topics that templates lead to.
    pub(super) fn new(stream_name: &str, position: Option<&StoredOffset>, has_templates: bool) -> Self {
        let named = position.map(|position| position.data_partitions.clone()).unwrap_or_default();
        let (stream_name, fixed, checked) = (stream_name.to_owned(), Vec::new(), Vec::new());
        Self { stream_name, fixed, named, checked, has_templates }
    }

    fn choose(&self, topic: &OutputTopic, kept: Option<i32>) -> Result<i32, TopicUnusable> {
        let partition = match kept {
            Some(kept) => kept,
            None => partition_for(self.stream_name.as_bytes(), topic.partitions.count()?),
        };
        topic.partitions.available(partition)?;
        Ok(partition)
    }

    /// Chooses the partition in a topic that every fragment is written to.
    ///
    /// # Errors
    /// When it accepts no records at the moment.
    pub(super) fn fixed(&mut self, topic: &OutputTopic) -> Result<(), TopicUnusable> {
        let kept = self.named.iter().position(|kept| *kept.topic == *topic.name);
        let kept = kept.map(|index| self.named.remove(index).partition);
        let partition = self.choose(topic, kept)?;
        self.fixed.push(DataPartition { topic: topic.name.to_string(), partition });
        Ok(())
    }

    /// Returns the partition in a topic.
    ///
    /// # Errors
    /// When it accepts no records at the moment, as far as that is not known from before.
    pub(super) fn in_topic(&mut self, topic: &OutputTopic) -> Result<i32, TopicUnusable> {
        if let Some(fixed) = self.fixed.iter().find(|fixed| *fixed.topic == *topic.name) {
            return Ok(fixed.partition);
        }
        let index = self.named.iter().position(|kept| *kept.topic == *topic.name);
        let kept = index.map(|index| self.named.remove(index));
        let is_checked = self.checked.iter().any(|checked| **checked == *topic.name);
        let entry = match kept {
            Some(kept) if is_checked => kept,
            kept => {
                let chosen = self.choose(topic, kept.as_ref().map(|kept| kept.partition));
                if chosen.is_err() {
                    self.named.extend(kept);
                }
                let partition = chosen?;
                self.checked.push(topic.name.to_string());
                DataPartition { topic: topic.name.to_string(), partition }
            }
        };
        let partition = entry.partition;
        self.named.push(entry);
        if self.named.len() > REMEMBERED_MAX {
            let forgotten = self.named.remove(0);
            self.checked.retain(|checked| *checked != forgotten.topic);
        }
        Ok(partition)
    }

    /// Returns what is stored with the stream's offset.
    pub(super) fn stored(&self) -> Vec<DataPartition> {
        // A topic that may come back keeps its partition; one that the settings no longer name is forgotten.
        let named = self.named.iter().filter(|_| self.has_templates);
        self.fixed.iter().chain(named).cloned().collect()
    }
}

#[cfg(test)]
#[path = "partitions_tests.rs"]
mod tests;
