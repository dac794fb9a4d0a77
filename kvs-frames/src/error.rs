//! Why a frame cannot be given to a decoder.

/// A frame that cannot be converted, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("frame {index} of the fragment, of track {track}: {problem}")]
pub struct FrameError {
    /// Number of the frame's track.
    pub track: u64,
    /// Index of the frame in the fragment.
    pub index: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a frame, or with its track.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The track's content encoding is one that is not undone.
    #[error("the track's content encoding, {transform} ({algorithm}), is not supported")]
    UnsupportedEncoding {
        /// `compression`, `encryption` or `other`.
        transform: &'static str,
        /// The algorithm's name: `bzlib`, `lzo1x`, `aes`, …
        algorithm: &'static str,
    },
    /// Data that should be compressed by zlib is not.
    #[error("the data is not valid zlib data")]
    BadCompression,
    /// The data would be larger than the caller allows.
    #[error("the data would have more than {limit_bytes} bytes")]
    TooLarge {
        /// The caller's limit, in bytes.
        limit_bytes: usize,
    },
    /// A NAL unit extends beyond the frame's end, or the frame ends within the length of one.
    #[error("the NAL unit at byte {offset} needs {needed_bytes} bytes, {available_bytes} are left")]
    TruncatedUnit {
        /// Offset of the NAL unit's length in the frame's data, in bytes.
        offset: usize,
        /// Bytes of length and NAL unit.
        needed_bytes: u64,
        /// Bytes from the offset to the end of the frame.
        available_bytes: usize,
    },
    /// The track's codec private data is not valid.
    #[error("the {what} in the track's codec private data is not valid at byte {offset}: {reason}")]
    BadConfig {
        /// What it should be: `avcC`, `hvcC` or `AudioSpecificConfig`.
        what: &'static str,
        /// Offset in the codec private data, in bytes.
        offset: usize,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The frame cannot have an ADTS header.
    #[error("ADTS cannot express it: {reason}")]
    NoAdts {
        /// Why not.
        reason: &'static str,
    },
    /// Samples of 16 bits have an odd number of bytes.
    #[error("16-bit samples have an odd number of bytes, {size_bytes}")]
    OddSamples {
        /// Size of the data, in bytes.
        size_bytes: usize,
    },
}
