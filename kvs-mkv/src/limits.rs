//! Bounds on what a stream may ask of the splitter.

use std::fmt;

/// Bounds on what one fragment may hold. Exceeding one is an [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge), never an
/// allocation.
///
/// Start from the defaults and change what differs:
///
/// ```
/// let mut limits = kvs_mkv::Limits::default();
/// limits.fragment_size_bytes = 16 << 20;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a fragment's payload. The service accepts at most 50 MB per fragment; default 64 MiB.
    pub fragment_size_bytes: usize,
    /// Bytes before the first cluster: headers, tracks, tags, padding. Default 1 MiB.
    pub header_size_bytes: usize,
    /// Depth of SimpleTags nested within SimpleTags. Default 8.
    pub nesting: usize,
    /// Tags per fragment, including the service's own. A producer may send 10 per fragment; default 512.
    pub tags: usize,
    /// Tracks per fragment. The service accepts at most 3; default 32.
    pub tracks: usize,
    /// Frames per fragment, where each frame of a laced block counts. Default 100,000.
    pub frames: usize,
    /// Content encodings per track. Muxers write one; default 8.
    pub content_encodings: usize,
    /// Bytes of a content encoding's settings, which header stripping puts in front of every frame. Default 4096.
    pub content_settings_size_bytes: usize,
}

/// What is bounded by [`Limits`], as an error names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitKind {
    /// Bytes of a fragment: [`Limits::fragment_size_bytes`].
    FragmentBytes,
    /// Bytes before the first cluster: [`Limits::header_size_bytes`].
    HeaderBytes,
    /// Bytes between two chunks: [`Limits::header_size_bytes`].
    BytesBetweenChunks,
    /// Depth of nested tags: [`Limits::nesting`].
    NestedTags,
    /// Tags per fragment: [`Limits::tags`].
    Tags,
    /// Tracks per fragment: [`Limits::tracks`].
    Tracks,
    /// Frames per fragment: [`Limits::frames`].
    Frames,
    /// Content encodings per track: [`Limits::content_encodings`].
    ContentEncodings,
    /// Bytes of a content encoding's settings: [`Limits::content_settings_size_bytes`].
    ContentSettingsBytes,
}

/// Writes the bounded quantity with its unit, such as `fragment bytes` or `tags`.
impl fmt::Display for LimitKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::FragmentBytes => "fragment bytes",
            Self::HeaderBytes => "bytes before the first cluster",
            Self::BytesBetweenChunks => "bytes between chunks",
            Self::NestedTags => "nested tags",
            Self::Tags => "tags",
            Self::Tracks => "tracks",
            Self::Frames => "frames",
            Self::ContentEncodings => "content encodings",
            Self::ContentSettingsBytes => "bytes of a content encoding's settings",
        })
    }
}

impl Limits {
    /// Returns these limits with another bound on a fragment's payload, in bytes.
    #[must_use]
    pub fn with_fragment_size_bytes(mut self, fragment_size_bytes: usize) -> Self {
        self.fragment_size_bytes = fragment_size_bytes;
        self
    }
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
            content_encodings: 8,
            content_settings_size_bytes: 4096,
        }
    }
}
