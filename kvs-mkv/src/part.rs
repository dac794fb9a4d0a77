//! A fragment without some of its tracks.
//!
//! **Contract.** The result is a complete MKV document, made in one pass over the fragment's bytes: what stays is copied byte for
//! byte, and the index is translated, not read again. Left out are entries, blocks and tags of other tracks, positions that would
//! be wrong (SeekHead, Cues), padding, and checksums of what has changed. The Segment gets an unknown size, because the service's
//! tags stand behind its end, each Cluster a known one.

use std::ops::Range;

use crate::block::Frame;
use crate::ebml::{self, Children};
use crate::element_writer::{unknown_size, write_id, write_vint};
use crate::elements::id;
use crate::error::Error;
use crate::file::{end_of, end_of_cluster, header_at};
use crate::fragment::{Cluster, Fragment};
use crate::payload::Payload;
use crate::tag::TagSpan;
use crate::track::Track;

/// Reasons why tracks cannot be taken out of a fragment.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// No track is to be kept.
    #[error("none of the fragment's tracks is to be kept")]
    NoTrack,
    /// The fragment's bytes cannot be walked, which only happens to a fragment whose end is missing.
    #[error(transparent)]
    Malformed(#[from] Error),
}

impl Fragment {
    /// Returns the fragment with only those tracks, with this much room in front of its payload, in bytes. Tracks with the same
    /// number are kept or left out together.
    ///
    /// # Errors
    /// When no track is to be kept, or the fragment's bytes cannot be walked.
    pub fn with_tracks(&self, headroom_bytes: usize, keep: impl Fn(&Track) -> bool) -> Result<Self, PartError> {
        let numbers: Vec<u64> = self.tracks.iter().filter(|track| keep(track)).map(|track| track.number).collect();
        if numbers.is_empty() {
            return Err(PartError::NoTrack);
        }
        let tracks: Vec<Track> = self.tracks.iter().filter(|track| numbers.contains(&track.number)).cloned().collect();
        if tracks.len() == self.tracks.len() {
            let mut buffer = vec![0; headroom_bytes];
            buffer.extend_from_slice(&self.payload);
            return Ok(Self {
                payload: Payload::with_headroom(buffer, headroom_bytes),
                ..self.clone_without_payload()
            });
        }
        let dropped = self.tracks.iter().filter(|track| !numbers.contains(&track.number));
        let dropped_uids = dropped.map(|track| track.uid).collect();
        let mut part = Part::new(&self.payload, headroom_bytes, &numbers, dropped_uids);
        part.walk()?;
        let (payload, translation, cluster_offsets) = part.finish();
        let frames: Vec<Frame> = self
            .frames
            .iter()
            .filter(|frame| numbers.contains(&frame.track))
            .filter_map(|frame| Some(Frame { offset: translation.behind(frame.offset)?, ..*frame }))
            .collect();
        let clusters = self.clusters.iter().filter_map(|cluster| {
            let &(_, offset) = cluster_offsets.iter().find(|(before, _)| *before == cluster.offset)?;
            let frames_before = self.frames.iter().take(cluster.first_frame);
            let first_frame = frames_before.filter(|frame| numbers.contains(&frame.track)).count();
            Some(Cluster { offset, first_frame, ..*cluster })
        });
        let span = |span: &TagSpan| {
            let (name, value) = (translation.range(&span.name)?, translation.range(&span.value)?);
            Some(TagSpan { name, value, ..span.clone() })
        };
        Ok(Self {
            clusters: clusters.collect(),
            frames,
            leading_tags: translation.range(&self.leading_tags).unwrap_or_default(),
            trailing_tags: self.trailing_tags.as_ref().and_then(|range| translation.range(range)),
            tags: self.tags.iter().filter_map(span).collect(),
            tracks: tracks.into(),
            payload,
            ..self.clone_without_payload()
        })
    }
}

/// The bytes that have been copied as they were: where they began and ended, and where they begin now.
#[derive(Default)]
struct Translation(Vec<(Range<usize>, usize)>);

impl Translation {
    /// Returns where a byte is now; `None`: it was left out.
    fn offset(&self, before: usize) -> Option<usize> {
        let index = self.0.partition_point(|(piece, _)| piece.end <= before);
        let (piece, now) = self.0.get(index)?;
        Some(now + before.checked_sub(piece.start)?)
    }

    /// Returns where data now begins whose head, just in front of it, has been copied; the data may be empty.
    fn behind(&self, before: usize) -> Option<usize> {
        self.offset(before.checked_sub(1)?).map(|head| head + 1)
    }

    /// Returns where a range is now, if it has been copied as a whole.
    fn range(&self, before: &Range<usize>) -> Option<Range<usize>> {
        let start = self.offset(before.start).or_else(|| before.is_empty().then_some(0))?;
        Some(start..start + before.len())
    }
}

/// The document while it is made.
struct Part<'a> {
    before: &'a [u8],
    numbers: &'a [u64],
    dropped_uids: Vec<u64>,
    made: Vec<u8>,
    headroom_bytes: usize,
    translation: Translation,
    /// Offsets of clusters, before and now.
    clusters: Vec<(usize, usize)>,
}

impl<'a> Part<'a> {
    fn new(before: &'a [u8], headroom_bytes: usize, numbers: &'a [u64], dropped_uids: Vec<u64>) -> Self {
        let mut made = Vec::with_capacity(headroom_bytes + before.len());
        made.resize(headroom_bytes, 0);
        let (translation, clusters) = (Translation::default(), Vec::new());
        Self { before, numbers, dropped_uids, made, headroom_bytes, translation, clusters }
    }

    fn finish(self) -> (Payload, Translation, Vec<(usize, usize)>) {
        (Payload::with_headroom(self.made, self.headroom_bytes), self.translation, self.clusters)
    }

    /// Copies bytes as they are.
    fn copy(&mut self, range: Range<usize>) {
        let now = self.made.len() - self.headroom_bytes;
        self.made.extend_from_slice(self.before.get(range.clone()).unwrap_or_default());
        match self.translation.0.last_mut() {
            // What follows without a gap is one piece.
            Some((piece, begins)) if piece.end == range.start && *begins + piece.len() == now => piece.end = range.end,
            _ => self.translation.0.push((range, now)),
        }
    }

    fn walk(&mut self) -> Result<(), Error> {
        let mut at = 0;
        while at < self.before.len() {
            let header = header_at(self.before, at)?;
            let content_at = at + header.length_bytes;
            if header.id == id::SEGMENT {
                unknown_size(&mut self.made, id::SEGMENT);
                at = content_at;
                continue;
            }
            let end = match header.size_bytes {
                None if header.id == id::CLUSTER => end_of_cluster(self.before, content_at)?,
                // A Cluster may end earlier than it says; the walk below finds out.
                Some(_) if header.id == id::CLUSTER => end_of(self.before, at, header).unwrap_or(self.before.len()),
                _ => end_of(self.before, at, header)?,
            };
            at = match header.id {
                id::CLUSTER => self.cluster(at, content_at, end)?,
                id::TRACKS => self.filtered(header.id, at, content_at..end, |part, child, content| {
                    Ok(child != id::TRACK_ENTRY || part.keeps_entry(content)?)
                })?,
                id::TAGS => self.filtered(header.id, at, content_at..end, |part, child, content| {
                    Ok(child != id::TAG || part.keeps_tag(content)?)
                })?,
                id::SEEK_HEAD | id::CUES | id::VOID | id::CRC_32 => end,
                _ => {
                    self.copy(at..end);
                    end
                }
            };
        }
        Ok(())
    }

    /// Copies a master element without the children that are not kept. Returns its end.
    fn filtered(
        &mut self,
        element: u32,
        at: usize,
        content: Range<usize>,
        keeps: impl Fn(&Self, u32, &[u8]) -> Result<bool, Error>,
    ) -> Result<usize, Error> {
        let bytes = self.before.get(content.clone()).unwrap_or_default();
        let mut kept: Vec<Range<usize>> = Vec::new();
        let (mut all, mut begin) = (true, content.start);
        let mut children = Children::new(bytes, element, content.start as u64);
        while let Some(child) = children.next()? {
            let end = content.start + child.content_at + child.content.len();
            if keeps(self, child.id, child.content)? {
                if !matches!(child.id, id::CRC_32 | id::VOID) {
                    kept.push(begin..end);
                }
            } else {
                all = false;
            }
            begin = end;
        }
        if all {
            self.copy(at..content.end);
        } else {
            write_id(&mut self.made, element);
            write_vint(&mut self.made, kept.iter().map(Range::len).sum::<usize>() as u64);
            kept.into_iter().for_each(|range| self.copy(range));
        }
        Ok(content.end)
    }

    fn keeps_entry(&self, entry: &[u8]) -> Result<bool, Error> {
        let mut children = Children::new(entry, id::TRACK_ENTRY, 0);
        while let Some(child) = children.next()? {
            if child.id == id::TRACK_NUMBER {
                return Ok(ebml::read_uint(child.content).is_some_and(|number| self.numbers.contains(&number)));
            }
        }
        Ok(false)
    }

    /// Returns whether a tag is about anything else than tracks that are left out.
    fn keeps_tag(&self, tag: &[u8]) -> Result<bool, Error> {
        let (mut about, mut about_dropped) = (0, 0);
        let mut children = Children::new(tag, id::TAG, 0);
        while let Some(child) = children.next()? {
            if child.id != id::TARGETS {
                continue;
            }
            let mut targets = Children::new(child.content, id::TARGETS, 0);
            while let Some(target) = targets.next()? {
                if target.id == id::TAG_TRACK_UID {
                    about += 1;
                    let uid = ebml::read_uint(target.content);
                    about_dropped += usize::from(uid.is_some_and(|uid| self.dropped_uids.contains(&uid)));
                }
            }
        }
        Ok(about == 0 || about_dropped < about)
    }

    /// Copies a Cluster without the blocks of other tracks. Returns where it ended.
    fn cluster(&mut self, cluster_at: usize, content_at: usize, end: usize) -> Result<usize, Error> {
        self.clusters.push((cluster_at, self.made.len() - self.headroom_bytes));
        write_id(&mut self.made, id::CLUSTER);
        let size_at = self.made.len();
        self.made.extend([0; 8]);
        let mut at = content_at;
        while at < end {
            let header = header_at(self.before, at)?;
            if crate::elements::is_segment_child(header.id) || matches!(header.id, id::SEGMENT | id::EBML) {
                break;
            }
            let child_end = end_of(self.before, at, header)?;
            let content = self.before.get(at + header.length_bytes..child_end).unwrap_or_default();
            let keeps = match header.id {
                id::SIMPLE_BLOCK => self.keeps_block(content),
                id::BLOCK_GROUP => self.keeps_group(content)?,
                id::CRC_32 | id::VOID => false,
                _ => true,
            };
            if keeps {
                self.copy(at..child_end);
            }
            at = child_end;
        }
        let size = (self.made.len() - size_at - 8) as u64;
        // Eight bytes: the marker, then the size.
        let field = (size | 1 << 56).to_be_bytes();
        if let Some(reserved) = self.made.get_mut(size_at..size_at + 8) {
            reserved.copy_from_slice(&field);
        }
        Ok(at)
    }

    fn keeps_block(&self, block: &[u8]) -> bool {
        matches!(ebml::read_vint(block), Ok(Some((number, _))) if self.numbers.contains(&number))
    }

    fn keeps_group(&self, group: &[u8]) -> Result<bool, Error> {
        let mut children = Children::new(group, id::BLOCK_GROUP, 0);
        while let Some(child) = children.next()? {
            if child.id == id::BLOCK {
                return Ok(self.keeps_block(child.content));
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
#[path = "part_tests.rs"]
mod tests;
