//! Tags: the service's own, and the producer's.

use std::borrow::Cow;
use std::ops::Range;

use crate::ebml::{self, Children, id};
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;

/// What the names of the service's own tags begin with.
const AWS_PREFIX: &[u8] = b"AWS_KINESISVIDEO_";

/// The service's own tags (AWS developer guide, "GetMedia"; docs/GETMEDIA.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsTag {
    /// Number of the fragment.
    FragmentNumber,
    /// When the service received the fragment.
    ServerTimestamp,
    /// When the producer says it was made.
    ProducerTimestamp,
    /// How far the session is behind the live edge.
    MillisBehindNow,
    /// Where to go on after this fragment.
    ContinuationToken,
    /// Name of an error that ended the session.
    ErrorCode,
    /// Id of an error that ended the session.
    ErrorId,
    /// Error code of GetMediaForFragmentList.
    ExceptionErrorCode,
    /// Error text of GetMediaForFragmentList.
    ExceptionMessage,
}

impl AwsTag {
    const ALL: [(Self, &'static str); 9] = [
        (Self::FragmentNumber, "AWS_KINESISVIDEO_FRAGMENT_NUMBER"),
        (Self::ServerTimestamp, "AWS_KINESISVIDEO_SERVER_TIMESTAMP"),
        (Self::ProducerTimestamp, "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP"),
        (Self::MillisBehindNow, "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW"),
        (Self::ContinuationToken, "AWS_KINESISVIDEO_CONTINUATION_TOKEN"),
        (Self::ErrorCode, "AWS_KINESISVIDEO_ERROR_CODE"),
        (Self::ErrorId, "AWS_KINESISVIDEO_ERROR_ID"),
        (Self::ExceptionErrorCode, "AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE"),
        (Self::ExceptionMessage, "AWS_KINESISVIDEO_EXCEPTION_MESSAGE"),
    ];

    /// The tag's name in the stream.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(tag, _)| *tag == self).map_or("", |(_, name)| name)
    }

    /// Other names of the same: GetMediaForFragmentList's documentation has these.
    const ALSO: [(Self, &'static str); 2] = [
        (Self::ServerTimestamp, "AWS_KINESISVIDEO_SERVER_SIDE_TIMESTAMP"),
        (Self::ProducerTimestamp, "AWS_KINESISVIDEO_PRODUCER_SIDE_TIMESTAMP"),
    ];

    pub(crate) fn from_name(name: &[u8]) -> Option<Self> {
        if !name.starts_with(AWS_PREFIX) {
            return None;
        }
        Self::ALL.iter().chain(&Self::ALSO).find(|(_, text)| text.as_bytes() == name).map(|(tag, _)| *tag)
    }
}

/// A tag the producer sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag<'a> {
    /// Its name; bytes that are no UTF-8 are replaced.
    pub name: Cow<'a, str>,
    /// Its value.
    pub value: TagValue<'a>,
    /// The track it is about, when it is about one.
    pub track_uid: Option<u64>,
}

/// A tag's value.
#[derive(Debug, Clone, PartialEq)]
pub enum TagValue<'a> {
    /// A TagString without the NULs that pad it; bytes that are no UTF-8 are replaced.
    Text(Cow<'a, str>),
    /// A TagBinary.
    Binary(&'a [u8]),
}

/// One SimpleTag, as places in a chunk, so that reading tags copies nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagSpan {
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
    pub(crate) binary: bool,
    pub(crate) track_uid: Option<u64>,
}

impl TagSpan {
    pub(crate) fn read<'a>(&self, chunk: &'a [u8]) -> Tag<'a> {
        let value = &chunk[self.value.clone()];
        Tag {
            name: String::from_utf8_lossy(&chunk[self.name.clone()]),
            value: if self.binary { TagValue::Binary(value) } else { TagValue::Text(String::from_utf8_lossy(value)) },
            track_uid: self.track_uid,
        }
    }
}

/// Reads the content of a Tags element and hands each SimpleTag to `found`, nested ones after their parent.
///
/// `content_at` is the content's place in the chunk, `chunk_offset` the chunk's in the stream.
pub(crate) fn read_tags(
    content: &[u8],
    content_at: usize,
    chunk_offset: u64,
    limits: &Limits,
    found: &mut dyn FnMut(TagSpan) -> Result<(), Error>,
) -> Result<(), Error> {
    let offset_of = |at: usize| chunk_offset + at as u64;
    let mut tags = Children::new(content, id::TAGS, offset_of(content_at));
    while let Some(tag) = tags.next()? {
        if tag.id != id::TAG {
            continue;
        }
        let tag_at = content_at + tag.content_at;
        let mut track_uid = None;
        let mut children = Children::new(tag.content, id::TAG, offset_of(tag_at));
        while let Some(child) = children.next()? {
            let child_at = tag_at + child.content_at;
            match child.id {
                id::TARGETS => track_uid = read_target(child.content, offset_of(child_at))?,
                id::SIMPLE_TAG => {
                    read_simple_tag(child.content, child_at, chunk_offset, track_uid, limits, 1, found)?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn read_target(content: &[u8], offset: u64) -> Result<Option<u64>, Error> {
    let mut track_uid = None;
    let mut children = Children::new(content, id::TARGETS, offset);
    while let Some(child) = children.next()? {
        if child.id == id::TAG_TRACK_UID {
            let bad = || Error::new(ErrorKind::BadContent, child.id, offset + child.content_at as u64);
            // 0 means all tracks (RFC 9559, TagTrackUID).
            track_uid = Some(ebml::read_uint(child.content).ok_or_else(bad)?).filter(|&uid| uid != 0);
        }
    }
    Ok(track_uid)
}

fn read_simple_tag(
    content: &[u8],
    content_at: usize,
    chunk_offset: u64,
    track_uid: Option<u64>,
    limits: &Limits,
    depth: usize,
    found: &mut dyn FnMut(TagSpan) -> Result<(), Error>,
) -> Result<(), Error> {
    let offset = chunk_offset + content_at as u64;
    if depth > limits.nesting {
        let kind = ErrorKind::TooLarge { what: "nested tags", actual: depth as u64, limit: limits.nesting as u64 };
        return Err(Error::new(kind, id::SIMPLE_TAG, offset));
    }
    let mut name = None;
    let mut value = content_at..content_at;
    let mut binary = false;
    let mut nested = Vec::new();
    let mut children = Children::new(content, id::SIMPLE_TAG, offset);
    while let Some(child) = children.next()? {
        let at = content_at + child.content_at;
        match child.id {
            id::TAG_NAME => name = Some(at..at + ebml::trim_string(child.content).len()),
            id::TAG_STRING => {
                value = at..at + ebml::trim_string(child.content).len();
                binary = false;
            }
            id::TAG_BINARY => {
                value = at..at + child.content.len();
                binary = true;
            }
            // Bounded by the element itself, which lies in memory already.
            id::SIMPLE_TAG => nested.push((child.content, at)),
            _ => {}
        }
    }
    if let Some(name) = name {
        found(TagSpan { name, value, binary, track_uid })?;
    }
    for (nested_content, nested_at) in nested {
        read_simple_tag(nested_content, nested_at, chunk_offset, track_uid, limits, depth + 1, found)?;
    }
    Ok(())
}
