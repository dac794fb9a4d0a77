//! One file of the clusters of many documents: what a player plays and seeks in.
//!
//! **Contract.** Blocks and tracks keep their bytes; nothing is encoded again. Each document's clusters get the time that the caller
//! says. A finished file has a Segment of known size, its duration, and a Cue for each cluster with a key frame; one that was
//! never finished plays, too, without them. A document whose tracks are other ones, or whose unit of time is, is refused.

use std::io::{self, Seek, SeekFrom, Write};

use crate::ebml::{self, Children};
use crate::element_writer::{element, uint, unknown_size, write_id, write_vint};
use crate::elements::{DEFAULT_TIMESTAMP_SCALE_NS, id};
use crate::error::{Error, ErrorKind};
use crate::file::{FileCluster, FileSegment, end_of, header_at};
use crate::track::TrackKind;

/// What all files name as their writer.
const APP: &str = "kvs-connect";
/// Room for the SeekHead, which is known last: its three entries, and an element of padding.
const SEEK_HEAD_BYTES: usize = 84;
/// DateUTC counts from 2001-01-01, this many seconds after 1970.
const SECONDS_TO_2001: i64 = 978_307_200;

/// Reasons why a document cannot be joined to a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The file cannot be written.
    #[error("the file cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The document cannot be read.
    #[error(transparent)]
    Read(#[from] Error),
    /// The document has other tracks, or another unit of time, than the first one.
    #[error("its tracks are not those of the fragments before")]
    OtherTracks,
}

/// What a document says before its clusters.
struct Head {
    ebml: Vec<u8>,
    scale_ns: u64,
    tracks: Vec<u8>,
    tags: Vec<u8>,
    /// The track by which a player seeks: the first one of video, or the first one.
    cue_track: u64,
}

/// A cluster with which a player can begin.
struct Cue {
    units: u64,
    position: u64,
}

/// Writes the file.
pub struct FileJoiner<W> {
    out: W,
    head: Head,
    /// Where the Segment's content begins in the file.
    content_at: u64,
    /// Where the value of Duration is.
    duration_at: u64,
    /// Where Info and Tracks are in the Segment.
    info_at: u64,
    tracks_at: u64,
    /// How much has been written.
    written: u64,
    end_ns: i64,
    cues: Vec<Cue>,
}

impl<W: Write> FileJoiner<W> {
    /// Begins a file with the tracks and tags of a document; `date_ns` is when the file's time 0 was, in nanoseconds since 1970.
    ///
    /// # Errors
    /// When the document cannot be read, or the file not be written.
    pub fn new(out: W, first: &FileSegment, date_ns: Option<i64>) -> Result<Self, JoinError> {
        let head = Head::read(first)?;
        let mut start = head.ebml.clone();
        // Its size field has eight bytes, which are replaced in the end.
        unknown_size(&mut start, id::SEGMENT);
        let content_at = start.len() as u64;
        padding(&mut start, SEEK_HEAD_BYTES);
        let info_at = start.len() as u64 - content_at;
        let mut info = Vec::new();
        uint(&mut info, id::TIMESTAMP_SCALE, head.scale_ns);
        if let Some(date_ns) = date_ns.and_then(|date| date.checked_sub(SECONDS_TO_2001 * 1_000_000_000)) {
            element(&mut info, id::DATE_UTC, &date_ns.to_be_bytes());
        }
        element(&mut info, id::MUXING_APP, APP.as_bytes());
        element(&mut info, id::WRITING_APP, APP.as_bytes());
        // Last, so that its value ends with the element.
        element(&mut info, id::DURATION, &0_f64.to_be_bytes());
        element(&mut start, id::INFO, &info);
        let duration_at = start.len() as u64 - 8;
        let tracks_at = start.len() as u64 - content_at;
        start.extend(&head.tracks);
        start.extend(&head.tags);
        let written = start.len() as u64;
        let (end_ns, cues) = (0, Vec::new());
        let mut joiner = Self { out, head, content_at, duration_at, info_at, tracks_at, written, end_ns, cues };
        joiner.out.write_all(&start)?;
        Ok(joiner)
    }

    /// Returns whether a document can be joined: whether it has the tracks, byte for byte, and the unit of time of the first one.
    ///
    /// # Errors
    /// When the document cannot be read.
    pub fn accepts(&self, document: &FileSegment) -> Result<bool, Error> {
        let head = Head::read(document)?;
        Ok(head.tracks == self.head.tracks && head.scale_ns == self.head.scale_ns)
    }

    /// Returns the unit of all times in the file, in nanoseconds: other times are rounded to it.
    pub fn scale_ns(&self) -> u64 {
        self.head.scale_ns
    }

    /// Appends a cluster. What it has at its own timestamp is at `at_ns` of the file, which is not negative.
    ///
    /// # Errors
    /// When the cluster cannot be read, or the file not be written.
    pub fn cluster(&mut self, cluster: &FileCluster, at_ns: i64) -> Result<(), JoinError> {
        let units = at_ns.max(0).unsigned_abs() / self.head.scale_ns.max(1);
        let header = header_at(&cluster.bytes, 0)?;
        let mut children = Children::new(&cluster.bytes[header.length_bytes..], id::CLUSTER, 0);
        let mut content = Vec::with_capacity(cluster.bytes.len());
        uint(&mut content, id::CLUSTER_TIMESTAMP, units);
        let mut is_cue = false;
        while let Some(child) = children.next()? {
            match child.id {
                // These are about the document that the cluster was in.
                id::CLUSTER_TIMESTAMP | id::POSITION | id::PREV_SIZE | id::CRC_32 => continue,
                id::SIMPLE_BLOCK | id::BLOCK_GROUP => is_cue |= self.is_key(child.id, child.content)?,
                _ => {}
            }
            element(&mut content, child.id, child.content);
        }
        if is_cue {
            self.cues.push(Cue { units, position: self.written - self.content_at });
        }
        let mut written = Vec::with_capacity(content.len() + 12);
        element(&mut written, id::CLUSTER, &content);
        self.out.write_all(&written)?;
        self.written += written.len() as u64;
        if let Some((_, end_ns)) = cluster.span_ns {
            let end_ns = at_ns.saturating_add(end_ns.saturating_sub(cluster.timestamp_ns));
            self.end_ns = self.end_ns.max(end_ns);
        }
        Ok(())
    }

    /// Has everything that was written reach its reader.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Returns whether a block is a key frame of the track by which players seek.
    fn is_key(&self, which: u32, content: &[u8]) -> Result<bool, Error> {
        let is_ours =
            |block: &[u8]| matches!(ebml::read_vint(block), Ok(Some((track, _))) if track == self.head.cue_track);
        if which == id::SIMPLE_BLOCK {
            let flags_at = ebml::read_vint(content).ok().flatten().map_or(0, |(_, length)| length + 2);
            return Ok(is_ours(content) && content.get(flags_at).is_some_and(|flags| flags & 0x80 != 0));
        }
        let (mut is_block, mut refers) = (false, false);
        let mut children = Children::new(content, id::BLOCK_GROUP, 0);
        while let Some(child) = children.next()? {
            is_block |= child.id == id::BLOCK && is_ours(child.content);
            refers |= child.id == id::REFERENCE_BLOCK;
        }
        Ok(is_block && !refers)
    }
}

impl<W: Write + Seek> FileJoiner<W> {
    /// Writes what is known only now, and returns the file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<W, JoinError> {
        let cues_at = self.written - self.content_at;
        let mut cues = Vec::new();
        for Cue { units, position } in &self.cues {
            let (mut place, mut point) = (Vec::new(), Vec::new());
            uint(&mut place, id::CUE_TRACK, self.head.cue_track);
            uint(&mut place, id::CUE_CLUSTER_POSITION, *position);
            uint(&mut point, id::CUE_TIME, *units);
            element(&mut point, id::CUE_TRACK_POSITIONS, &place);
            element(&mut cues, id::CUE_POINT, &point);
        }
        let mut entries = vec![(id::INFO, self.info_at), (id::TRACKS, self.tracks_at)];
        if !cues.is_empty() {
            let mut written = Vec::new();
            element(&mut written, id::CUES, &cues);
            self.out.write_all(&written)?;
            self.written += written.len() as u64;
            entries.push((id::CUES, cues_at));
        }
        let mut seek_head = Vec::new();
        for (which, position) in entries {
            let mut entry = Vec::new();
            element(&mut entry, id::SEEK_ID, &which.to_be_bytes());
            element(&mut entry, id::SEEK_POSITION, &position.to_be_bytes());
            element(&mut seek_head, id::SEEK, &entry);
        }
        let mut start = Vec::new();
        element(&mut start, id::SEEK_HEAD, &seek_head);
        let rest = SEEK_HEAD_BYTES - start.len();
        padding(&mut start, rest);
        self.out.seek(SeekFrom::Start(self.content_at))?;
        self.out.write_all(&start)?;
        let units = self.end_ns.max(0) as f64 / self.head.scale_ns.max(1) as f64;
        self.out.seek(SeekFrom::Start(self.duration_at))?;
        self.out.write_all(&units.to_be_bytes())?;
        let size = self.written - self.content_at;
        self.out.seek(SeekFrom::Start(self.content_at - 8))?;
        self.out.write_all(&(size | 1 << 56).to_be_bytes())?;
        self.out.seek(SeekFrom::End(0))?;
        self.out.flush()?;
        Ok(self.out)
    }
}

impl Head {
    fn read(document: &FileSegment) -> Result<Self, Error> {
        let bytes = document.head.as_slice();
        let ebml_end = end_of(bytes, 0, header_at(bytes, 0)?)?;
        let segment = header_at(bytes, ebml_end)?;
        let mut at = ebml_end + segment.length_bytes;
        let mut head = Self {
            ebml: bytes[..ebml_end].to_vec(),
            scale_ns: DEFAULT_TIMESTAMP_SCALE_NS,
            tracks: Vec::new(),
            tags: Vec::new(),
            cue_track: 0,
        };
        while at < bytes.len() {
            let header = header_at(bytes, at)?;
            let end = end_of(bytes, at, header)?;
            let content = &bytes[at + header.length_bytes..end];
            match header.id {
                id::INFO => head.scale_ns = scale_of(content)?,
                id::TRACKS => {
                    head.tracks = bytes[at..end].to_vec();
                    head.cue_track = cue_track_of(content)?;
                }
                // What is left without the tags of the service may be nothing.
                id::TAGS if !content.is_empty() => head.tags.extend(&bytes[at..end]),
                _ => {}
            }
            at = end;
        }
        if head.tracks.is_empty() {
            return Err(Error::new(ErrorKind::BadContent, id::TRACKS, 0));
        }
        Ok(head)
    }
}

/// Returns the unit of time that Info says, which is never 0.
fn scale_of(info: &[u8]) -> Result<u64, Error> {
    let mut children = Children::new(info, id::INFO, 0);
    while let Some(child) = children.next()? {
        if child.id == id::TIMESTAMP_SCALE {
            let scale_ns = ebml::read_uint(child.content).filter(|scale_ns| *scale_ns > 0);
            return Ok(scale_ns.unwrap_or(DEFAULT_TIMESTAMP_SCALE_NS));
        }
    }
    Ok(DEFAULT_TIMESTAMP_SCALE_NS)
}

fn cue_track_of(tracks: &[u8]) -> Result<u64, Error> {
    let (mut first, mut video) = (None, None);
    let mut entries = Children::new(tracks, id::TRACKS, 0);
    while let Some(entry) = entries.next()? {
        if entry.id != id::TRACK_ENTRY {
            continue;
        }
        let (mut number, mut kind) = (0, 0);
        let mut children = Children::new(entry.content, id::TRACK_ENTRY, 0);
        while let Some(child) = children.next()? {
            match child.id {
                id::TRACK_NUMBER => number = ebml::read_uint(child.content).unwrap_or(0),
                id::TRACK_TYPE => kind = ebml::read_uint(child.content).unwrap_or(0),
                _ => {}
            }
        }
        first.get_or_insert(number);
        if kind == TrackKind::Video.value() {
            video.get_or_insert(number);
        }
    }
    Ok(video.or(first).unwrap_or(0))
}

/// Writes an element of padding that takes this many bytes: at least 2, and fewer than 128.
fn padding(out: &mut Vec<u8>, size_bytes: usize) {
    write_id(out, id::VOID);
    let content = size_bytes.saturating_sub(2);
    write_vint(out, content as u64);
    out.resize(out.len() + content, 0);
}

#[cfg(test)]
#[path = "joined_tests.rs"]
mod tests;
