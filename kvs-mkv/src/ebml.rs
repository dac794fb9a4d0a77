//! EBML on the wire: ids, sizes and element headers (RFC 8794), as values and names of Matroska (RFC 9559).

use crate::error::{Error, ErrorKind};

/// The longest element header: an id of 4 bytes and a size of 8.
pub(crate) const HEADER_MAX_BYTES: usize = 12;

/// Element ids, with their marker bits, as the specifications print them.
pub(crate) mod id {
    pub(crate) const EBML: u32 = 0x1A45_DFA3;
    pub(crate) const SEGMENT: u32 = 0x1853_8067;
    pub(crate) const SEEK_HEAD: u32 = 0x114D_9B74;
    pub(crate) const INFO: u32 = 0x1549_A966;
    pub(crate) const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
    pub(crate) const MUXING_APP: u32 = 0x4D80;
    pub(crate) const WRITING_APP: u32 = 0x5741;
    pub(crate) const TRACKS: u32 = 0x1654_AE6B;
    pub(crate) const TRACK_ENTRY: u32 = 0xAE;
    pub(crate) const TRACK_NUMBER: u32 = 0xD7;
    pub(crate) const TRACK_UID: u32 = 0x73C5;
    pub(crate) const TRACK_TYPE: u32 = 0x83;
    pub(crate) const TRACK_NAME: u32 = 0x536E;
    pub(crate) const LANGUAGE: u32 = 0x22_B59C;
    pub(crate) const LANGUAGE_BCP47: u32 = 0x22_B59D;
    pub(crate) const CODEC_ID: u32 = 0x86;
    pub(crate) const CODEC_PRIVATE: u32 = 0x63A2;
    pub(crate) const DEFAULT_DURATION: u32 = 0x23_E383;
    pub(crate) const VIDEO: u32 = 0xE0;
    pub(crate) const PIXEL_WIDTH: u32 = 0xB0;
    pub(crate) const PIXEL_HEIGHT: u32 = 0xBA;
    pub(crate) const AUDIO: u32 = 0xE1;
    pub(crate) const SAMPLING_FREQUENCY: u32 = 0xB5;
    pub(crate) const CHANNELS: u32 = 0x9F;
    pub(crate) const CLUSTER: u32 = 0x1F43_B675;
    pub(crate) const CLUSTER_TIMESTAMP: u32 = 0xE7;
    pub(crate) const SIMPLE_BLOCK: u32 = 0xA3;
    pub(crate) const BLOCK_GROUP: u32 = 0xA0;
    pub(crate) const BLOCK: u32 = 0xA1;
    pub(crate) const BLOCK_DURATION: u32 = 0x9B;
    pub(crate) const REFERENCE_BLOCK: u32 = 0xFB;
    pub(crate) const CUES: u32 = 0x1C53_BB6B;
    pub(crate) const CHAPTERS: u32 = 0x1043_A770;
    pub(crate) const ATTACHMENTS: u32 = 0x1941_A469;
    pub(crate) const TAGS: u32 = 0x1254_C367;
    pub(crate) const TAG: u32 = 0x7373;
    pub(crate) const TARGETS: u32 = 0x63C0;
    pub(crate) const TAG_TRACK_UID: u32 = 0x63C5;
    pub(crate) const SIMPLE_TAG: u32 = 0x67C8;
    pub(crate) const TAG_NAME: u32 = 0x45A3;
    pub(crate) const TAG_STRING: u32 = 0x4487;
    pub(crate) const TAG_BINARY: u32 = 0x4485;
    pub(crate) const VOID: u32 = 0xEC;
    pub(crate) const CRC_32: u32 = 0xBF;
    pub(crate) const DOC_TYPE: u32 = 0x4282;
    pub(crate) const DOC_TYPE_VERSION: u32 = 0x4287;
    pub(crate) const DOC_TYPE_READ_VERSION: u32 = 0x4285;
}

/// The name of an element for messages; ids this crate has no use for are "unknown element".
pub(crate) fn name(id: u32) -> &'static str {
    match id {
        id::EBML => "EBML",
        id::SEGMENT => "Segment",
        id::SEEK_HEAD => "SeekHead",
        id::INFO => "Info",
        id::TIMESTAMP_SCALE => "TimestampScale",
        id::TRACKS => "Tracks",
        id::TRACK_ENTRY => "TrackEntry",
        id::TRACK_NUMBER => "TrackNumber",
        id::TRACK_UID => "TrackUID",
        id::TRACK_TYPE => "TrackType",
        id::TRACK_NAME => "Name",
        id::LANGUAGE => "Language",
        id::LANGUAGE_BCP47 => "LanguageBCP47",
        id::CODEC_ID => "CodecID",
        id::CODEC_PRIVATE => "CodecPrivate",
        id::DEFAULT_DURATION => "DefaultDuration",
        id::VIDEO => "Video",
        id::PIXEL_WIDTH => "PixelWidth",
        id::PIXEL_HEIGHT => "PixelHeight",
        id::AUDIO => "Audio",
        id::SAMPLING_FREQUENCY => "SamplingFrequency",
        id::CHANNELS => "Channels",
        id::CLUSTER => "Cluster",
        id::CLUSTER_TIMESTAMP => "Timestamp",
        id::SIMPLE_BLOCK => "SimpleBlock",
        id::BLOCK_GROUP => "BlockGroup",
        id::BLOCK => "Block",
        id::BLOCK_DURATION => "BlockDuration",
        id::REFERENCE_BLOCK => "ReferenceBlock",
        id::CUES => "Cues",
        id::CHAPTERS => "Chapters",
        id::ATTACHMENTS => "Attachments",
        id::TAGS => "Tags",
        id::TAG => "Tag",
        id::TARGETS => "Targets",
        id::TAG_TRACK_UID => "TagTrackUID",
        id::SIMPLE_TAG => "SimpleTag",
        id::TAG_NAME => "TagName",
        id::TAG_STRING => "TagString",
        id::TAG_BINARY => "TagBinary",
        id::VOID => "Void",
        id::CRC_32 => "CRC-32",
        _ => "unknown element",
    }
}

/// Whether an element stands directly under Segment. Their ids all have four bytes, so none can be taken for a
/// child of a Cluster: meeting one there means that the Cluster is over.
pub(crate) fn is_segment_child(id: u32) -> bool {
    matches!(
        id,
        id::SEEK_HEAD | id::INFO | id::TRACKS | id::CLUSTER | id::CUES | id::CHAPTERS | id::ATTACHMENTS | id::TAGS
    )
}

/// An element's id and size, as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) id: u32,
    /// Bytes of content; `None` when the size is unknown (all ones).
    pub(crate) size_bytes: Option<u64>,
    /// Bytes of id and size together.
    pub(crate) length_bytes: usize,
}

/// Reads the header at the start of `bytes`. `Ok(None)`: more bytes are needed. `offset` is for the error only.
pub(crate) fn read_header(bytes: &[u8], offset: u64) -> Result<Option<Header>, Error> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let id_bytes = first.leading_zeros() as usize + 1;
    if id_bytes > 4 {
        return Err(Error::new(ErrorKind::BadElementId, u32::from(first), offset));
    }
    if bytes.len() < id_bytes {
        return Ok(None);
    }
    let id = bytes[..id_bytes].iter().fold(0_u32, |id, &byte| id << 8 | u32::from(byte));
    let Some((value, size_bytes)) =
        read_vint(&bytes[id_bytes..]).map_err(|()| Error::new(ErrorKind::BadElementSize, id, offset))?
    else {
        return Ok(None);
    };
    let unknown = value == vint_max(size_bytes);
    Ok(Some(Header { id, size_bytes: (!unknown).then_some(value), length_bytes: id_bytes + size_bytes }))
}

/// The value with all bits set in a vint of `length` bytes: "unknown" where a size is expected.
pub(crate) fn vint_max(length_bytes: usize) -> u64 {
    (1_u64 << (7 * length_bytes)) - 1
}

/// Reads a variable-length integer without its marker; answers value and length. `Ok(None)`: more bytes are needed.
pub(crate) fn read_vint(bytes: &[u8]) -> Result<Option<(u64, usize)>, ()> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return Err(());
    }
    if bytes.len() < length {
        return Ok(None);
    }
    let marker_cleared = u64::from(first) & ((1_u64 << (8 - length)) - 1);
    let value = bytes[1..length].iter().fold(marker_cleared, |value, &byte| value << 8 | u64::from(byte));
    Ok(Some((value, length)))
}

/// An unsigned integer element of 0 to 8 bytes.
pub(crate) fn read_uint(content: &[u8]) -> Option<u64> {
    (content.len() <= 8).then(|| content.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

/// A float element of 0, 4 or 8 bytes.
pub(crate) fn read_float(content: &[u8]) -> Option<f64> {
    match content.len() {
        0 => Some(0.0),
        4 => content.try_into().ok().map(|bytes| f64::from(f32::from_be_bytes(bytes))),
        8 => content.try_into().ok().map(f64::from_be_bytes),
        _ => None,
    }
}

/// A string element: it ends at the first NUL, for writers pad with NULs (RFC 8794, 7.5).
pub(crate) fn trim_string(content: &[u8]) -> &[u8] {
    let end = content.iter().position(|&byte| byte == 0).unwrap_or(content.len());
    &content[..end]
}

/// One child of a master element whose content lies whole in memory.
pub(crate) struct Child<'a> {
    pub(crate) id: u32,
    pub(crate) content: &'a [u8],
    /// Where the content begins, counted from the start of the master's content.
    pub(crate) content_at: usize,
}

/// Walks the children of a master element that lies whole in memory.
pub(crate) struct Children<'a> {
    content: &'a [u8],
    at: usize,
    parent_id: u32,
    /// Stream offset of the content's first byte, for errors.
    offset: u64,
}

impl<'a> Children<'a> {
    pub(crate) fn new(content: &'a [u8], parent_id: u32, offset: u64) -> Self {
        Self { content, at: 0, parent_id, offset }
    }

    /// The next child, `None` at the end. A child that is cut or reaches over its parent's end is an error.
    pub(crate) fn next(&mut self) -> Result<Option<Child<'a>>, Error> {
        let rest = &self.content[self.at..];
        if rest.is_empty() {
            return Ok(None);
        }
        let offset = self.offset + self.at as u64;
        let Some(header) = read_header(rest, offset)? else {
            return Err(Error::new(ErrorKind::Overruns { parent: name(self.parent_id) }, self.parent_id, offset));
        };
        let Some(size) = header.size_bytes else {
            return Err(Error::new(ErrorKind::UnknownSize, header.id, offset));
        };
        let available = (rest.len() - header.length_bytes) as u64;
        if size > available {
            return Err(Error::new(ErrorKind::Overruns { parent: name(self.parent_id) }, header.id, offset));
        }
        let content_at = self.at + header.length_bytes;
        // Cannot truncate: `size` is at most the length of a slice.
        let end = content_at + size as usize;
        self.at = end;
        Ok(Some(Child { id: header.id, content: &self.content[content_at..end], content_at }))
    }
}
