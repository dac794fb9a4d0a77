//! A media file, cut into what each fragment of a stream needs: a head and a Cluster.
//!
//! **Contract.** Nothing is re-encoded: EBML header, Info, Tracks, Tags and Clusters keep their bytes, and with them every
//! setting that an encoder or a muxer stored there, whether this crate knows it or not. Left out are positions in the
//! file (SeekHead, Cues), padding, Chapters and Attachments, and the service's own tags, which a copied recording may
//! still have. Only sizes change from known to unknown or back. A file may hold several Segments, each with or without
//! an EBML header of its own.

use std::ops::Range;

use crate::ebml::{self, Children, Header};
use crate::element_writer::{element, unknown_size};
use crate::elements::{self, id};
use crate::error::{Error, ErrorKind};
use crate::fragment::span_ns;
use crate::limits::Limits;
use crate::splitter::Splitter;
use crate::tag::AwsTag;
use crate::writer::cluster_of;

/// One Segment of an MKV file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileSegment {
    /// EBML header, Segment of unknown size, and all of the Segment's Info, Tracks and Tags, wherever they stood.
    pub head: Vec<u8>,
    /// The clusters, in file order.
    pub clusters: Vec<FileCluster>,
}

/// One Cluster of an MKV file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileCluster {
    /// The Cluster element, with a known size.
    pub bytes: Vec<u8>,
    /// The cluster's timestamp × TimestampScale, in nanoseconds.
    pub timestamp_ns: i64,
    /// Start of the earliest frame and end of the latest, in nanoseconds; `None` without frames.
    pub span_ns: Option<(i64, i64)>,
}

/// The parts of a Segment, by their ranges in the file.
#[derive(Default)]
struct Parts {
    ebml: Range<usize>,
    head: Vec<Part>,
    clusters: Vec<Part>,
}

struct Part {
    id: u32,
    element: Range<usize>,
    content_at: usize,
    size_known: bool,
}

impl FileSegment {
    /// Reads all Segments of a file.
    ///
    /// # Errors
    /// Returns an error if the file is malformed, exceeds a limit, or ends inside an element. Its offset is an offset in
    /// the file.
    pub fn read_all(file: &[u8], limits: Limits) -> Result<Vec<Self>, Error> {
        find_parts(file)?.into_iter().map(|parts| parts.read(file, limits)).collect()
    }
}

impl Parts {
    fn read(self, file: &[u8], limits: Limits) -> Result<FileSegment, Error> {
        let mut written = Written { head: file[self.ebml.clone()].to_vec(), pieces: vec![(0, self.ebml.start)] };
        unknown_size(&mut written.head, id::SEGMENT);
        for part in &self.head {
            written.pieces.push((written.head.len(), part.element.start));
            let content = &file[part.content_at..part.element.end];
            match part.id {
                id::TAGS => match own_tags(content, part.content_at as u64)? {
                    Some(others) => element(&mut written.head, id::TAGS, &others),
                    None => written.head.extend(&file[part.element.clone()]),
                },
                _ => written.head.extend(&file[part.element.clone()]),
            }
        }
        let mut clusters = Vec::with_capacity(self.clusters.len());
        for part in &self.clusters {
            let bytes = match part.size_known {
                true => file[part.element.clone()].to_vec(),
                false => cluster_of(&file[part.content_at..part.element.end]),
            };
            let content_in_bytes = bytes.len() - (part.element.end - part.content_at);
            let document = Splitter::read_document(&[written.head.as_slice(), &bytes].concat(), limits)
                .map_err(|error| written.locate(&error, part, content_in_bytes))?;
            clusters.push(FileCluster {
                timestamp_ns: document.clusters.first().map_or(0, |cluster| cluster.timestamp_ns),
                span_ns: span_ns(&document.tracks, &document.frames),
                bytes,
            });
        }
        Ok(FileSegment { head: written.head, clusters })
    }
}

/// A head that has been written, with the origin of its pieces: offset in the head, offset in the file.
struct Written {
    head: Vec<u8>,
    pieces: Vec<(usize, usize)>,
}

impl Written {
    /// Translates the offset of an error in head and cluster to an offset in the file.
    fn locate(&self, error: &Error, cluster: &Part, content_in_bytes: usize) -> Error {
        let at = usize::try_from(error.offset()).unwrap_or(usize::MAX);
        let in_file = match at.checked_sub(self.head.len()) {
            Some(at) => at.checked_sub(content_in_bytes).map_or(cluster.element.start, |at| cluster.content_at + at),
            None => {
                let piece = self.pieces.iter().rfind(|(in_head, _)| *in_head <= at);
                piece.map_or(at, |(in_head, in_file)| in_file + (at - in_head))
            }
        };
        Error::new(error.kind().clone(), error.element_id(), in_file as u64)
    }
}

/// Returns the content of a Tags element without the service's tags, or `None` if it has none of those.
fn own_tags(content: &[u8], offset: u64) -> Result<Option<Vec<u8>>, Error> {
    let mut found = false;
    let mut kept = Vec::new();
    let mut tags = Children::new(content, id::TAGS, offset);
    while let Some(tag) = tags.next()? {
        if tag.id != id::TAG {
            continue;
        }
        let (mut tag_kept, mut simple_tags) = (Vec::new(), 0);
        let mut children = Children::new(tag.content, id::TAG, offset + tag.content_at as u64);
        while let Some(child) = children.next()? {
            if child.id == id::SIMPLE_TAG {
                if is_aws_tag(child.content, offset)? {
                    found = true;
                    continue;
                }
                simple_tags += 1;
            }
            element(&mut tag_kept, child.id, child.content);
        }
        if simple_tags > 0 {
            element(&mut kept, id::TAG, &tag_kept);
        }
    }
    Ok(found.then_some(kept))
}

fn is_aws_tag(simple_tag: &[u8], offset: u64) -> Result<bool, Error> {
    let mut children = Children::new(simple_tag, id::SIMPLE_TAG, offset);
    while let Some(child) = children.next()? {
        if child.id == id::TAG_NAME {
            return Ok(AwsTag::from_name(ebml::trim_string(child.content)).is_some());
        }
    }
    Ok(false)
}

/// Walks the elements of the file. A Segment's size is ignored: every possible child that follows belongs to it.
fn find_parts(file: &[u8]) -> Result<Vec<Parts>, Error> {
    let mut segments: Vec<Parts> = Vec::new();
    let mut ebml = None;
    // Whether a Segment has followed the last EBML header.
    let mut in_segment = false;
    let mut at = 0;
    while at < file.len() {
        let header = header_at(file, at)?;
        let content_at = at + header.length_bytes;
        let error = |kind| Error::new(kind, header.id, at as u64);
        if header.id == id::SEGMENT {
            let Some(ebml) = ebml.clone() else { return Err(error(ErrorKind::NotAChunk)) };
            segments.push(Parts { ebml, ..Parts::default() });
            (at, in_segment) = (content_at, true);
            continue;
        }
        if ebml.is_none() && header.id != id::EBML {
            return Err(error(ErrorKind::NotAChunk));
        }
        let end = match header.size_bytes {
            Some(_) => end_of(file, at, header)?,
            None if header.id == id::CLUSTER => end_of_cluster(file, content_at)?,
            None => return Err(error(ErrorKind::UnknownSize)),
        };
        let part = || Part { id: header.id, element: at..end, content_at, size_known: header.size_bytes.is_some() };
        match (header.id, segments.last_mut().filter(|_| in_segment)) {
            (id::EBML, _) => (ebml, in_segment) = (Some(at..end), false),
            (id::INFO | id::TRACKS | id::TAGS, Some(segment)) => segment.head.push(part()),
            (id::CLUSTER, Some(segment)) => segment.clusters.push(part()),
            (id::VOID | id::CRC_32, None) => {}
            (_, None) => return Err(error(ErrorKind::NoSegment)),
            _ => {}
        }
        at = end;
    }
    if segments.is_empty() || !in_segment {
        let kind = if file.is_empty() { ErrorKind::NotAChunk } else { ErrorKind::Truncated };
        return Err(Error::new(kind, id::SEGMENT, file.len() as u64));
    }
    Ok(segments)
}

/// Returns the end of a Cluster of unknown size: the first element that is not a child of a Cluster.
pub(crate) fn end_of_cluster(file: &[u8], content_at: usize) -> Result<usize, Error> {
    let mut at = content_at;
    while at < file.len() {
        let child = header_at(file, at)?;
        if elements::is_segment_child(child.id) || matches!(child.id, id::SEGMENT | id::EBML) {
            break;
        }
        at = end_of(file, at, child)?;
    }
    Ok(at)
}

pub(crate) fn header_at(file: &[u8], at: usize) -> Result<Header, Error> {
    let cut = || Error::new(ErrorKind::Truncated, id::SEGMENT, at as u64);
    ebml::read_header(&file[at..], at as u64)?.ok_or_else(cut)
}

/// Returns the end of an element that has to have a known size.
pub(crate) fn end_of(file: &[u8], at: usize, header: Header) -> Result<usize, Error> {
    let error = |kind| Error::new(kind, header.id, at as u64);
    let size = header.size_bytes.ok_or_else(|| error(ErrorKind::UnknownSize))?;
    let end = usize::try_from(size).ok().and_then(|size| size.checked_add(at + header.length_bytes));
    end.filter(|end| *end <= file.len()).ok_or_else(|| error(ErrorKind::Truncated))
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
