//! Settings of a connector, one module per subject.

pub(crate) mod frames;
pub(crate) mod payload;
pub(crate) mod pulling;
pub(crate) mod records;
pub(crate) mod routing;
pub(crate) mod service;
pub(crate) mod start;
pub(crate) mod streams;

use super::definition::Group::Common;
use super::definition::Importance::{High, Low};
use super::key::{Key, key, settings};

settings! {
    /// The connector's identity.
    COMMON {
        NAME: Key<String> = key("name", "Connector name")
            .required_text()
            .same_everywhere()
            .group(Common)
            .importance(High)
            .doc(
                "Name of the connector, unique in the cluster: 1 to 256 characters. In a JSON \
                 file it is beside config, within it, or the same in both; in Java properties it is a key like the \
                 others.",
            );
        CLASS: Key<String> = key("connector.class", "Connector class")
            .required_text()
            .same_everywhere()
            .group(Common)
            .importance(High)
            .doc(
                "Class of the connector: KinesisVideoSourceConnector, which is the only one, with or without a \
                 package name.",
            );
        TASKS_MAX: Key<u32> = key("tasks.max", "Tasks max")
            .int::<u32>(1, 1..=1_000_000)
            .same_everywhere()
            .group(Common)
            .importance(Low)
            .doc("Accepted because Kafka Connect's tools send it, and otherwise ignored: every stream is a task.");
    }
}
