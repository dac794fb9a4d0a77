//! In which form frames are wanted.

use std::fmt;
use std::str::FromStr;

/// The form of video frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FrameFormat {
    /// H.264 and H.265 as an Annex B byte stream: each NAL unit after a start code, the parameter sets in front of each key
    /// frame that has none. Such a frame needs nothing else to begin decoding. Frames of other codecs are as stored.
    #[default]
    AnnexB,
    /// As stored, with content encodings undone. A decoder needs the configuration, too.
    Mkv,
}

/// The form of audio frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AudioFormat {
    /// As stored, with content encodings undone.
    #[default]
    Stored,
    /// AAC with an ADTS header, 16-bit PCM as little-endian samples: what players and tools take without a
    /// configuration. Frames of other codecs are as stored.
    Adts,
}

/// The text is not a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a format: it has to be {expected}")]
pub struct BadFormat {
    /// The text.
    pub text: String,
    /// The names there are.
    pub expected: &'static str,
}

impl FrameFormat {
    /// Returns `annexb` or `mkv`.
    pub fn name(self) -> &'static str {
        match self {
            Self::AnnexB => "annexb",
            Self::Mkv => "mkv",
        }
    }
}

impl AudioFormat {
    /// Returns `mkv` or `adts`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stored => "mkv",
            Self::Adts => "adts",
        }
    }
}

impl fmt::Display for FrameFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for FrameFormat {
    type Err = BadFormat;

    fn from_str(text: &str) -> Result<Self, BadFormat> {
        let all = [Self::AnnexB, Self::Mkv];
        let bad = || BadFormat { text: text.to_owned(), expected: "annexb or mkv" };
        all.into_iter().find(|format| format.name() == text).ok_or_else(bad)
    }
}

impl FromStr for AudioFormat {
    type Err = BadFormat;

    fn from_str(text: &str) -> Result<Self, BadFormat> {
        let all = [Self::Stored, Self::Adts];
        let bad = || BadFormat { text: text.to_owned(), expected: "mkv or adts" };
        all.into_iter().find(|format| format.name() == text).ok_or_else(bad)
    }
}
