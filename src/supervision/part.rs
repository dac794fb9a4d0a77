//! The parts of a worker.

/// What a worker consists of, as its panics are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The worker's own course: its start, its wait for the end of a part, its shutdown.
    Worker,
    /// The thread of a shard.
    Shard,
    /// The task of a stream.
    Stream,
    /// What starts a connector and looks for its streams.
    Connector,
    /// What reports statuses and sends heartbeats.
    Statuses,
    /// What does what the config log says.
    Configs,
    /// The thread that follows the config topic.
    ConfigLog,
    /// The thread that follows the status topic.
    StatusLog,
    /// The thread of the membership in the group.
    Membership,
    /// What looks after the topics in which the worker keeps something.
    StorageTopics,
    /// What opens the offsets topics that connectors have of their own.
    OffsetsTopics,
    /// What asks for the partitions of the data topics.
    DataTopics,
    /// What looks after the metrics.
    Metrics,
    /// What looks whether there are file descriptors left.
    OpenFiles,
    /// The listeners of the REST API.
    Rest,
    /// What asks Kafka for topics, and makes them.
    Topics,
    /// A request of the REST API, with the connection it comes by.
    Request,
    /// A callback that Kafka's client calls.
    Callback,
}

impl Part {
    /// All of them.
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

    /// Returns its name, as metrics and logs have it.
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
