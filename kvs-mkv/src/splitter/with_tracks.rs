//! Choosing tracks of a fragment.
//!
//! **Contract.** [`Fragment::with_tracks`] returns what the splitter would return for a chunk that never had the other tracks. The
//! splitter's own walk says where elements begin and end, so the two cannot disagree about media that are odd, and what is
//! left is read like any chunk. The time is linear in the payload's elements and bytes.

use std::ops::Range;
use std::sync::Arc;

use crate::cuts::{Cuts, MasterIndex};
use crate::ebml::{self, Children, Header};
use crate::elements::id;
use crate::error::{Error, ErrorKind};
use crate::fragment::Fragment;
use crate::limits::Limits;
use crate::payload::Payload;
use crate::tag::{self, AwsTag};
use crate::track::Track;

use super::state::{State, Step};
use super::{Completion, Splitter};

/// The deepest nesting of tags that is read again. Bounds the stack for a payload that the caller has exchanged.
const NESTING: usize = 100;

/// Why tracks of a fragment cannot be chosen; see [`Fragment::with_tracks`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TracksError {
    /// None of the fragment's tracks is to be kept.
    #[error("none of the fragment's {available} tracks is to be kept")]
    NoneKept {
        /// How many tracks the fragment has, 0 or more.
        available: usize,
    },
    /// The fragment's payload cannot be read. This does not happen with a payload that the splitter has returned.
    #[error("the fragment's payload cannot be read again")]
    Unreadable(#[source] Error),
}

impl Fragment {
    /// Returns the fragment with only those of its tracks for which `keep` returns `true`, and with `headroom_bytes` bytes of
    /// room in front of its payload (see [`Payload::into_prefixed`]).
    ///
    /// The payload is an MKV document like the fragment's own, without the other tracks' entries, blocks and block groups,
    /// and without tags that are about other tracks only, unless one of the service's own is among them. Blocks whose track
    /// has no entry are left out, too, as is what would be wrong or has no use: positions in the document (SeekHead, Cues,
    /// a Cluster's Position and PrevSize), padding between elements, encrypted blocks, whose track cannot be told, and the
    /// CRC-32 of an element that changes. Everything else keeps its bytes, apart from the sizes of the elements around.
    ///
    /// If all tracks are kept, the payload has the same bytes. The payload is copied once, into a buffer of the size
    /// that is needed. `keep` may be called several times for a track and has to return the same each time.
    ///
    /// # Errors
    /// Returns [`TracksError::NoneKept`] if no track is kept, which includes a fragment without tracks, and
    /// [`TracksError::Unreadable`] if the payload has been replaced by bytes that are not a chunk.
    pub fn with_tracks(&self, headroom_bytes: usize, keep: impl Fn(&Track) -> bool) -> Result<Fragment, TracksError> {
        let available = self.tracks.len();
        let kept = self.tracks.iter().filter(|track| keep(track)).count();
        if kept == 0 {
            return Err(TracksError::NoneKept { available });
        }
        let cuts = if kept == available { Ok(Cuts::default()) } else { Walk::new(self, &keep).run() };
        let payload = cuts.map_err(TracksError::Unreadable)?.apply(&self.payload, headroom_bytes);
        let read = Splitter::read_again(payload, self.complete).map_err(TracksError::Unreadable)?;
        Ok(Fragment {
            number: self.number.clone(),
            server_timestamp: self.server_timestamp,
            producer_timestamp: self.producer_timestamp,
            millis_behind_now: self.millis_behind_now,
            continuation_token: self.continuation_token.clone(),
            complete: self.complete,
            segment_uid: self.segment_uid.clone(),
            tracks: if kept == available { Arc::clone(&self.tracks) } else { read.tracks },
            ..read
        })
    }
}

/// Returns limits that bound nothing but depth, because the splitter has read the payload within its own: the payload's size
/// bounds what can be in it. An element that has been cut may claim any size.
fn limits() -> Limits {
    let most = isize::MAX.unsigned_abs();
    Limits {
        fragment_size_bytes: most,
        header_size_bytes: most,
        nesting: NESTING,
        tags: most,
        tracks: most,
        frames: most,
        content_encodings: most,
        content_settings_size_bytes: most,
    }
}

impl Splitter {
    /// Reads a payload that is one chunk.
    fn read_again(payload: Payload, complete: bool) -> Result<Fragment, Error> {
        let mut splitter = Self::new(limits(), Completion::NextChunkOrEnd);
        splitter.payload = payload;
        let size_bytes = splitter.payload.len();
        if splitter.walk(&mut [].as_slice())?.is_some() || splitter.at != size_bytes {
            return Err(Error::new(ErrorKind::Truncated, id::SEGMENT, size_bytes as u64));
        }
        while splitter.leave_finished() {}
        splitter.chunk.check()?;
        splitter.chunk.into_fragment(splitter.payload, complete, 0)
    }
}

/// Finds what is to be removed.
struct Walk<'a> {
    bytes: &'a [u8],
    keep: &'a dyn Fn(&Track) -> bool,
    /// Numbers of the tracks that are kept, sorted.
    numbers: Vec<u64>,
    /// UIDs of other tracks only.
    dropped_uids: Vec<u64>,
    /// Goes through the payload. All of its input is at hand, so it copies nothing.
    splitter: Splitter,
    cuts: Cuts,
    cluster: Option<MasterIndex>,
    group: Option<OpenGroup>,
}

/// A BlockGroup whose end has not been reached.
struct OpenGroup {
    at: usize,
    header: Header,
    /// Blocks of other tracks. Matroska allows one block in a group, the splitter any number.
    dropped: Vec<Range<usize>>,
    keeps_block: bool,
    checksums: Vec<Range<usize>>,
}

impl<'a> Walk<'a> {
    fn new(fragment: &'a Fragment, keep: &'a dyn Fn(&Track) -> bool) -> Self {
        let (kept, dropped): (Vec<&Track>, Vec<&Track>) = fragment.tracks.iter().partition(|track| keep(track));
        let mut numbers: Vec<_> = kept.iter().map(|track| track.number).collect();
        numbers.sort_unstable();
        let kept_uids: Vec<_> = kept.iter().map(|track| track.uid).collect();
        // A tag about the UID 0 is about all tracks.
        let only_dropped = |uid: &u64| *uid != 0 && !kept_uids.contains(uid);
        let bytes = &*fragment.payload;
        Self {
            bytes,
            keep,
            numbers,
            dropped_uids: dropped.iter().map(|track| track.uid).filter(only_dropped).collect(),
            splitter: Splitter::new(limits(), Completion::NextChunkOrEnd),
            cuts: Cuts::default(),
            cluster: None,
            group: None,
        }
    }

    fn run(mut self) -> Result<Cuts, Error> {
        while self.splitter.at < self.bytes.len() {
            let (at, state, frames) = (self.splitter.at, self.splitter.state, self.splitter.chunk.frames.len());
            let mut input = self.bytes;
            let Step::Forward = self.splitter.look(&mut input)? else { return Err(truncated(at)) };
            self.leave(at);
            if self.splitter.at > at {
                let rest = self.bytes.get(at..).unwrap_or_default();
                let header = ebml::read_header(rest, at as u64)?.ok_or_else(|| truncated(at))?;
                let is_block = self.splitter.chunk.frames.len() > frames;
                self.look_at(state, at, header, is_block)?;
            }
        }
        let end = self.bytes.len();
        while self.splitter.leave_finished() {}
        self.splitter.state = State::InSegment;
        self.leave(end);
        Ok(self.cuts)
    }

    /// Closes the elements that the splitter has left.
    fn leave(&mut self, at: usize) {
        let state = self.splitter.state;
        if !matches!(state, State::InBlockGroup { .. })
            && let Some(group) = self.group.take()
        {
            self.finish_group(group, at);
        }
        if !matches!(state, State::InBlockGroup { .. } | State::InCluster { .. })
            && let Some(cluster) = self.cluster.take()
        {
            self.cuts.leave(cluster, at);
        }
    }

    /// Decides about the element at this offset, which the splitter has passed or entered.
    fn look_at(&mut self, state: State, at: usize, header: Header, is_block: bool) -> Result<(), Error> {
        let element = at..self.splitter.at;
        match state {
            State::TopLevel if header.id == id::SEGMENT => {
                self.cuts.enter(at, header);
            }
            State::InSegment => match header.id {
                id::CLUSTER => self.cluster = Some(self.cuts.enter(at, header)),
                id::TRACKS => self.look_at_tracks(at, header)?,
                id::TAGS => self.look_at_tags(at, header)?,
                // A track is left out, so the Segment changes.
                id::SEEK_HEAD | id::CUES | id::VOID | id::CRC_32 => self.cuts.remove(element),
                _ => {}
            },
            State::InCluster { .. } => match header.id {
                id::BLOCK_GROUP => {
                    self.group =
                        Some(OpenGroup { at, header, dropped: Vec::new(), keeps_block: false, checksums: Vec::new() });
                }
                id::POSITION | id::PREV_SIZE | id::ENCRYPTED_BLOCK | id::VOID => self.cuts.remove(element),
                id::CRC_32 => {
                    if let Some(cluster) = self.cluster {
                        self.cuts.checksum(cluster, element);
                    }
                }
                _ if is_block && !self.keeps_last_block() => self.cuts.remove(element),
                _ => {}
            },
            State::InBlockGroup { .. } => {
                let keeps_block = is_block && self.keeps_last_block();
                if let Some(group) = &mut self.group {
                    match header.id {
                        id::CRC_32 => group.checksums.push(element),
                        _ if keeps_block => group.keeps_block = true,
                        _ if is_block => group.dropped.push(element),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns whether the block that the splitter has read last is of a track that is kept.
    fn keeps_last_block(&self) -> bool {
        let track = self.splitter.chunk.frames.last().map(|frame| frame.track);
        track.is_some_and(|track| self.numbers.binary_search(&track).is_ok())
    }

    fn finish_group(&mut self, group: OpenGroup, end: usize) {
        if group.dropped.is_empty() {
            return;
        }
        if !group.keeps_block {
            return self.cuts.remove(group.at..end);
        }
        let master = self.cuts.enter(group.at, group.header);
        self.cuts.leave(master, end);
        for checksum in group.checksums {
            self.cuts.checksum(master, checksum);
        }
        for block in group.dropped {
            self.cuts.remove(block);
        }
    }

    /// Removes entries of a Tracks element, or all of it if no entry is left. The splitter has just read it.
    fn look_at_tracks(&mut self, at: usize, header: Header) -> Result<(), Error> {
        let tracks = Arc::clone(&self.splitter.chunk.tracks);
        let mut entries = tracks.iter();
        let (master, parts) = self.enter(at, header)?;
        let mut kept = 0;
        for part in parts {
            match part.header.id {
                id::TRACK_ENTRY if entries.next().is_some_and(self.keep) => kept += 1,
                id::TRACK_ENTRY => self.cuts.remove(part.element),
                id::CRC_32 => self.cuts.checksum(master, part.element),
                _ => {}
            }
        }
        if kept == 0 {
            self.cuts.remove(at..self.splitter.at);
        }
        Ok(())
    }

    /// Removes tags that are about other tracks, or all of a Tags element if no tag is left.
    fn look_at_tags(&mut self, at: usize, header: Header) -> Result<(), Error> {
        let (master, parts) = self.enter(at, header)?;
        let (mut kept, mut dropped) = (0, 0);
        for part in parts {
            match part.header.id {
                id::TAG if self.look_at_tag(&part)? => kept += 1,
                id::TAG => dropped += 1,
                id::CRC_32 => self.cuts.checksum(master, part.element),
                _ => {}
            }
        }
        if kept == 0 && dropped > 0 {
            self.cuts.remove(at..self.splitter.at);
        }
        Ok(())
    }

    /// Removes a tag that is about other tracks, or takes these off its targets. Returns whether the tag is kept.
    fn look_at_tag(&mut self, tag: &Part) -> Result<bool, Error> {
        let (tag_master, parts) = self.enter(tag.element.start, tag.header)?;
        let (mut others, mut dropped) = (0, Vec::new());
        for part in parts {
            match part.header.id {
                id::CRC_32 => self.cuts.checksum(tag_master, part.element),
                id::TARGETS => {
                    let (targets, parts) = self.enter(part.element.start, part.header)?;
                    for part in parts {
                        match part.header.id {
                            id::CRC_32 => self.cuts.checksum(targets, part.element),
                            id::TAG_TRACK_UID if self.is_dropped_uid(&part) => dropped.push(part.element),
                            id::TAG_TRACK_UID => others += 1,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if dropped.is_empty() || self.has_aws_tag(tag)? {
            return Ok(true);
        }
        if others == 0 {
            self.cuts.remove(tag.element.clone());
            return Ok(false);
        }
        for uid in dropped {
            self.cuts.remove(uid);
        }
        Ok(true)
    }

    fn is_dropped_uid(&self, part: &Part) -> bool {
        let uid = self.bytes.get(part.content()).and_then(ebml::read_uint);
        uid.is_some_and(|uid| self.dropped_uids.contains(&uid))
    }

    fn has_aws_tag(&self, tag: &Part) -> Result<bool, Error> {
        let element = self.bytes.get(tag.element.clone()).unwrap_or_default();
        let mut found = false;
        tag::read_tags(element, tag.element.start, 0, &limits(), &mut |span| {
            found |= self.bytes.get(span.name).and_then(AwsTag::from_name).is_some();
            Ok(())
        })?;
        Ok(found)
    }

    /// Enters an element of known size, and returns its children.
    fn enter(&mut self, at: usize, header: Header) -> Result<(MasterIndex, Vec<Part>), Error> {
        let size = header.size_bytes.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX);
        let content_at = at + header.length_bytes;
        let content = self.bytes.get(content_at..content_at.saturating_add(size)).ok_or_else(|| truncated(at))?;
        let (mut children, mut parts) = (Children::new(content, header.id, content_at as u64), Vec::new());
        let mut child_at = 0;
        while let Some(child) = children.next()? {
            let end = child.content_at + child.content.len();
            let size_bytes = Some(child.content.len() as u64);
            let header = Header { id: child.id, size_bytes, length_bytes: child.content_at - child_at };
            parts.push(Part { header, element: content_at + child_at..content_at + end });
            child_at = end;
        }
        Ok((self.cuts.enter(at, header), parts))
    }
}

/// A child of an element.
struct Part {
    header: Header,
    element: Range<usize>,
}

impl Part {
    fn content(&self) -> Range<usize> {
        self.element.start + self.header.length_bytes..self.element.end
    }
}

fn truncated(at: usize) -> Error {
    Error::new(ErrorKind::Truncated, id::SEGMENT, at as u64)
}
