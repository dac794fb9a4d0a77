//! The parts of a worker.

/// A part of a worker, by which panics are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The worker's own life: startup, waiting for the end of a part, shutdown.
    Worker,
    /// The thread of a shard.
    Shard,
    /// The task of a stream.
    Stream,
    /// The runner that starts a connector and discovers its streams.
    Connector,
    /// The task that reports statuses and sends heartbeats.
    Statuses,
    /// The task that applies the config log.
    Configs,
    /// The thread that follows the config topic.
    ConfigLog,
    /// The thread that follows the status topic.
    StatusLog,
    /// The thread of the group membership.
    Membership,
    /// The task that watches the storage topics.
    StorageTopics,
    /// The task that opens connectors' own offsets topics.
    OffsetsTopics,
    /// The task that requests the data topics' partitions.
    DataTopics,
    /// The task that maintains the metrics.
    Metrics,
    /// The task that checks whether file descriptors are left.
    OpenFiles,
    /// The listeners of the REST API.
    Rest,
    /// Requests to Kafka that look up or create topics.
    Topics,
    /// A request to the REST API, with its connection.
    Request,
    /// A callback of Kafka's client.
    Callback,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 18] = [
        Self::Worker,
        Self::Shard,
        Self::Stream,
        Self::Connector,
        Self::Statuses,
        Self::Configs,
        Self::ConfigLog,
        Self::StatusLog,
        Self::Membership,
        Self::StorageTopics,
        Self::OffsetsTopics,
        Self::DataTopics,
        Self::Metrics,
        Self::OpenFiles,
        Self::Rest,
        Self::Topics,
        Self::Request,
        Self::Callback,
    ];

    /// Returns the part's name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Shard => "shard",
            Self::Stream => "stream",
            Self::Connector => "connector",
            Self::Statuses => "statuses",
            Self::Configs => "configs",
            Self::ConfigLog => "config_log",
            Self::StatusLog => "status_log",
            Self::Membership => "membership",
            Self::StorageTopics => "storage_topics",
            Self::OffsetsTopics => "offsets_topics",
            Self::DataTopics => "data_topics",
            Self::Metrics => "metrics",
            Self::OpenFiles => "open_files",
            Self::Rest => "rest",
            Self::Topics => "topics",
            Self::Request => "request",
            Self::Callback => "callback",
        }
    }
}
