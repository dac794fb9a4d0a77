//! How much a stream may ask of us.

/// Bounds on what one fragment may hold. What passes one is an [`crate::ErrorKind::TooLarge`], never an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a fragment's payload. The service takes at most 50 MB a fragment; default 64 MiB.
    pub fragment_size_bytes: usize,
    /// Bytes before the first cluster: headers, tracks, tags, padding. Default 1 MiB.
    pub header_size_bytes: usize,
    /// Depth of SimpleTags within SimpleTags. Default 8.
    pub nesting: usize,
    /// Tags of a fragment, the service's own among them. A producer may send 10 a fragment; default 512.
    pub tags: usize,
    /// Tracks of a fragment. The service takes at most 3; default 32.
    pub tracks: usize,
    /// Frames of a fragment, laced ones counted singly. Default 100,000.
    pub frames: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fragment_size_bytes: 64 << 20,
            header_size_bytes: 1 << 20,
            nesting: 8,
            tags: 512,
            tracks: 32,
            frames: 100_000,
        }
    }
}
