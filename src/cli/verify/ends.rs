//! Up to where a connector has published each stream, by its committed offsets: what the archive has up to there, and no record has,
//! is missing, and does not come any more.

use std::collections::HashMap;

use kvs_mkv::FragmentNumber;
use rdkafka::consumer::Consumer;

use crate::audit::StreamAudit;
use crate::cli::brokers::{self, CALL_TIMEOUT};
use crate::cli::failure::Failure;
use crate::cli::{offsets, output};
use crate::config::{ConnectorConfig, WorkerConfig};

/// The committed position of each stream.
pub(super) struct Ends {
    positions: HashMap<String, FragmentNumber>,
    /// Whether the topics may have lost their oldest records: retention deletes those, or somebody.
    has_deleted: bool,
}

impl Ends {
    /// Reads the connector's offsets. Where that is not possible, the end of each stream is not audited, which is said.
    pub(super) fn read(worker: &WorkerConfig, connector: &ConnectorConfig, topics: &[String]) -> Self {
        let read = || -> Result<Self, Failure> {
            let listed = offsets::read(worker, connector.offsets_topic.as_deref())?;
            let ours = listed.into_iter().filter(|((name, _), _)| *name == connector.name);
            let positions = ours.map(|((_, stream), (_, offset))| (stream, offset.fragment_number)).collect();
            // What is wrong with the topics is said where they are read.
            Ok(Self { positions, has_deleted: has_deleted(worker, topics).unwrap_or(true) })
        };
        read().unwrap_or_else(|failure| {
            output::say(format_args!(
                "kvs-connect: the connector's offsets cannot be read, so records that are lost at the end of a stream are not found: {}",
                failure.lines.join("; ")
            ));
            Self { positions: HashMap::new(), has_deleted: true }
        })
    }

    /// Tells a stream's audit up to where there have to be records.
    pub(super) fn note(&self, stream: &str, audit: &mut StreamAudit) {
        // All records of a stream that has been silent for long may be past the topic's retention.
        if let Some(committed) = self.positions.get(stream)
            && (audit.has_records() || !self.has_deleted)
        {
            audit.set_committed(committed.clone());
        }
    }
}

fn has_deleted(worker: &WorkerConfig, topics: &[String]) -> Result<bool, Failure> {
    let consumer = brokers::connect(worker)?;
    let unavailable =
        |error: &dyn std::fmt::Display| Failure::new(crate::cli::failure::EXIT_UNAVAILABLE, error.to_string());
    for topic in topics {
        for partition in brokers::partitions(&consumer, topic).map_err(|error| unavailable(&error))? {
            let bounds =
                consumer.fetch_watermarks(topic, partition, CALL_TIMEOUT).map_err(|error| unavailable(&error))?;
            if bounds.0 > 0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
