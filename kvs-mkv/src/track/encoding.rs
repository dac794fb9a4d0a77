//! Content encodings: what has been done to a track's data and has to be undone before a decoder (RFC 9559, 5.1.4.1.31).

use crate::ebml::{self, Children};
use crate::elements::id;
use crate::error::{Error, ErrorKind};
use crate::limits::{LimitKind, Limits};

/// One transformation of a track's data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContentEncoding {
    /// The order in which the transformations were done: the highest has to be undone first.
    pub order: u64,
    /// What has been transformed, as a sum: 1 the frames, 2 the codec private data, 4 the next encoding's settings.
    pub scope: u64,
    /// What has been done.
    pub transform: ContentTransform,
}

/// What a content encoding has done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContentTransform {
    /// The data is compressed.
    Compression {
        /// How.
        algorithm: CompressionAlgorithm,
        /// Settings of the algorithm: for header stripping, the bytes that each frame begins with.
        settings: Vec<u8>,
    },
    /// The data is encrypted.
    Encryption {
        /// ContentEncAlgo: 0 none or not said, 1 DES, 2 3DES, 3 Twofish, 4 Blowfish, 5 AES.
        algorithm: u64,
    },
    /// Any other value of ContentEncodingType.
    Other(u64),
}

/// An algorithm of compression (RFC 9559, ContentCompAlgo).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompressionAlgorithm {
    /// zlib (RFC 1950).
    Zlib,
    /// bzip2.
    Bzlib,
    /// LZO1X.
    Lzo1x,
    /// The first bytes, which are the same in every frame, have been taken away.
    HeaderStripping,
    /// Any other value of ContentCompAlgo.
    Other(u64),
}

impl ContentEncoding {
    /// Creates an encoding that concerns the frames only.
    pub fn of_frames(transform: ContentTransform) -> Self {
        Self { order: 0, scope: 1, transform }
    }

    /// Returns whether frames are transformed.
    pub fn concerns_frames(&self) -> bool {
        self.scope & 1 != 0
    }

    /// Returns whether the codec private data is transformed.
    pub fn concerns_codec_private(&self) -> bool {
        self.scope & 2 != 0
    }
}

impl ContentTransform {
    /// Returns `compression`, `encryption` or `other`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Compression { .. } => "compression",
            Self::Encryption { .. } => "encryption",
            Self::Other(_) => "other",
        }
    }

    /// Returns the algorithm's name: `zlib`, `bzlib`, `lzo1x`, `header_stripping`, `des`, `3des`, `twofish`, `blowfish`,
    /// `aes`, `none` or `unknown`.
    pub fn algorithm_name(&self) -> &'static str {
        match self {
            Self::Compression { algorithm, .. } => algorithm.name(),
            Self::Encryption { algorithm } => match algorithm {
                0 => "none",
                1 => "des",
                2 => "3des",
                3 => "twofish",
                4 => "blowfish",
                5 => "aes",
                _ => "unknown",
            },
            Self::Other(_) => "unknown",
        }
    }
}

impl CompressionAlgorithm {
    fn from_value(value: u64) -> Self {
        match value {
            0 => Self::Zlib,
            1 => Self::Bzlib,
            2 => Self::Lzo1x,
            3 => Self::HeaderStripping,
            other => Self::Other(other),
        }
    }

    /// Returns the value of ContentCompAlgo.
    pub fn value(self) -> u64 {
        match self {
            Self::Zlib => 0,
            Self::Bzlib => 1,
            Self::Lzo1x => 2,
            Self::HeaderStripping => 3,
            Self::Other(value) => value,
        }
    }

    /// Returns `zlib`, `bzlib`, `lzo1x`, `header_stripping` or `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Bzlib => "bzlib",
            Self::Lzo1x => "lzo1x",
            Self::HeaderStripping => "header_stripping",
            Self::Other(_) => "unknown",
        }
    }
}

/// Reads the content of a ContentEncodings element. `offset` is the content's offset in the stream.
pub(super) fn read_encodings(content: &[u8], offset: u64, limits: &Limits) -> Result<Vec<ContentEncoding>, Error> {
    let mut encodings = Vec::new();
    let mut children = Children::new(content, id::CONTENT_ENCODINGS, offset);
    while let Some(child) = children.next()? {
        if child.id != id::CONTENT_ENCODING {
            continue;
        }
        let child_offset = offset + child.content_at as u64;
        let (what, count) = (LimitKind::ContentEncodings, encodings.len() as u64 + 1);
        bound(what, count, limits.content_encodings, child.id, child_offset)?;
        encodings.push(read_encoding(child.content, child_offset, limits)?);
    }
    Ok(encodings)
}

fn read_encoding(content: &[u8], offset: u64, limits: &Limits) -> Result<ContentEncoding, Error> {
    let (mut order, mut scope, mut kind) = (0, 1, 0);
    let (mut compression, mut settings, mut encryption) = (0, Vec::new(), 0);
    let mut children = Children::new(content, id::CONTENT_ENCODING, offset);
    while let Some(child) = children.next()? {
        let child_offset = offset + child.content_at as u64;
        match child.id {
            id::CONTENT_ENCODING_ORDER => order = uint(child.content, child.id, child_offset)?,
            id::CONTENT_ENCODING_SCOPE => scope = uint(child.content, child.id, child_offset)?,
            id::CONTENT_ENCODING_TYPE => kind = uint(child.content, child.id, child_offset)?,
            id::CONTENT_COMPRESSION | id::CONTENT_ENCRYPTION => {
                let mut inner = Children::new(child.content, child.id, child_offset);
                while let Some(leaf) = inner.next()? {
                    let leaf_offset = child_offset + leaf.content_at as u64;
                    match leaf.id {
                        id::CONTENT_COMP_ALGO => compression = uint(leaf.content, leaf.id, leaf_offset)?,
                        id::CONTENT_ENC_ALGO => encryption = uint(leaf.content, leaf.id, leaf_offset)?,
                        id::CONTENT_COMP_SETTINGS => {
                            let (what, size) = (LimitKind::ContentSettingsBytes, leaf.content.len() as u64);
                            bound(what, size, limits.content_settings_size_bytes, leaf.id, leaf_offset)?;
                            settings = leaf.content.to_vec();
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let transform = match kind {
        0 => ContentTransform::Compression { algorithm: CompressionAlgorithm::from_value(compression), settings },
        1 => ContentTransform::Encryption { algorithm: encryption },
        other => ContentTransform::Other(other),
    };
    Ok(ContentEncoding { order, scope, transform })
}

fn uint(content: &[u8], id: u32, offset: u64) -> Result<u64, Error> {
    ebml::read_uint(content).ok_or_else(|| Error::new(ErrorKind::BadContent, id, offset))
}

fn bound(what: LimitKind, actual: u64, limit: usize, id: u32, offset: u64) -> Result<(), Error> {
    let limit = limit as u64;
    if actual <= limit { Ok(()) } else { Err(Error::new(ErrorKind::TooLarge { what, actual, limit }, id, offset)) }
}
