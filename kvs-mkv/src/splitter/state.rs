//! The position of the walk over the elements, and the result of one step.

/// Which element the walk expects next. Ends are offsets in the chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// At the start of a chunk: an EBML header has to follow.
    Start,
    /// After the EBML header: a Segment has to follow.
    TopLevel,
    /// Among the children of Segment.
    InSegment,
    /// Among the children of a Cluster.
    InCluster { end: Option<u64> },
    /// Among the children of a BlockGroup.
    InBlockGroup { end: u64, cluster_end: Option<u64>, group: Group },
    /// After the end of a chunk.
    Between,
}

/// What has been read of a BlockGroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) first_frame: usize,
    pub(super) referring: bool,
    pub(super) duration: Option<u64>,
}

/// The result of one step.
pub(super) enum Step {
    /// `Splitter::at` or the state has advanced.
    Forward,
    /// The element cannot be read until more bytes arrive.
    NeedMore,
    /// The element is an EBML header: the chunk has ended and another begins.
    NextChunk,
}
