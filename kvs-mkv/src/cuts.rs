//! Leaving elements out of a document that is in memory as a whole.
//!
//! **Contract.** What is not removed keeps its bytes and its order. The size of every element around a removed one is
//! corrected, in a size field as long as before; an unknown size stays unknown, and one that is false, because it ends
//! before or after the element's real end, still ends between the same elements. A CRC-32 goes if something within its
//! element does. The work is linear in the bytes, and n log n in the number of removed elements.

use std::ops::Range;

use crate::ebml::Header;
use crate::payload::Payload;

/// What is to be removed, in offsets of the document as it is.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    removed: Vec<Range<usize>>,
    masters: Vec<Master>,
    /// Each CRC-32, with the index of its element.
    checksums: Vec<(usize, Range<usize>)>,
}

/// An element with children, whose size may have to be corrected.
#[derive(Debug)]
struct Master {
    /// Range of the size field.
    size_field: Range<usize>,
    /// The size that the field says; `None` if it is unknown.
    size_bytes: Option<u64>,
    /// Range of the children, which may be another one than the size says.
    content: Range<usize>,
}

/// Names an element that [`Cuts::enter`] was called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MasterIndex(usize);

impl Cuts {
    /// Notes the element with children at this offset; see [`Self::leave`].
    pub(crate) fn enter(&mut self, at: usize, header: Header) -> MasterIndex {
        let id_bytes = 4 - header.id.leading_zeros() as usize / 8;
        let content_at = at + header.length_bytes;
        let size = header.size_bytes.and_then(|size| usize::try_from(size).ok());
        self.masters.push(Master {
            size_field: at + id_bytes..content_at,
            size_bytes: header.size_bytes,
            content: content_at..content_at.saturating_add(size.unwrap_or(usize::MAX)),
        });
        MasterIndex(self.masters.len() - 1)
    }

    /// Notes where an element's children really end, if this is not where its size says.
    pub(crate) fn leave(&mut self, master: MasterIndex, at: usize) {
        if let Some(master) = self.masters.get_mut(master.0) {
            master.content.end = at;
        }
    }

    /// Removes an element.
    pub(crate) fn remove(&mut self, element: Range<usize>) {
        self.removed.push(element);
    }

    /// Removes a CRC-32 if anything of its element is removed.
    pub(crate) fn checksum(&mut self, master: MasterIndex, element: Range<usize>) {
        self.checksums.push((master.0, element));
    }

    /// Writes what is left of the document, with this room in front.
    pub(crate) fn apply(self, bytes: &[u8], headroom_bytes: usize) -> Payload {
        let Self { removed, masters, checksums } = self;
        let mut removed = Removed::new(removed);
        let stale = checksums
            .into_iter()
            .filter(|(master, _)| masters.get(*master).is_some_and(|master| removed.within(&master.content) > 0));
        let stale: Vec<_> = stale.map(|(_, element)| element).collect();
        if !stale.is_empty() {
            removed = Removed::new([removed.ranges, stale].concat());
        }
        let size_bytes = bytes.len() - removed.before(bytes.len());
        let mut buffer = Vec::with_capacity(headroom_bytes + size_bytes);
        buffer.resize(headroom_bytes, 0);
        let mut at = 0;
        for range in &removed.ranges {
            buffer.extend(bytes.get(at..range.start).unwrap_or_default());
            at = range.end;
        }
        buffer.extend(bytes.get(at..).unwrap_or_default());
        for master in masters.iter().filter(|master| !removed.contains(master.size_field.start)) {
            let Some(size) = master.corrected_size(&removed) else { continue };
            let field_at = headroom_bytes + master.size_field.start - removed.before(master.size_field.start);
            let length = master.size_field.len();
            // The size has not grown, so it fits the field.
            let marked = (size | 1_u64 << (7 * length)).to_be_bytes();
            if let (Some(field), Some(new)) = (buffer.get_mut(field_at..field_at + length), marked.get(8 - length..)) {
                field.copy_from_slice(new);
            }
        }
        Payload::with_headroom(buffer, headroom_bytes)
    }
}

impl Master {
    /// Returns the size without what is removed between the element's start and the end that its size says; `None` if it
    /// is unknown.
    fn corrected_size(&self, removed: &Removed) -> Option<u64> {
        let size = self.size_bytes?;
        let said = self.size_field.end.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        Some(size.saturating_sub(removed.within(&(self.size_field.end..said)) as u64))
    }
}

/// Removed ranges, in order and apart from each other.
struct Removed {
    ranges: Vec<Range<usize>>,
    /// For each range, how many bytes are removed before it.
    before: Vec<usize>,
}

impl Removed {
    fn new(mut unordered: Vec<Range<usize>>) -> Self {
        unordered.sort_unstable_by_key(|range| range.start);
        let mut ranges: Vec<Range<usize>> = Vec::with_capacity(unordered.len());
        for range in unordered {
            match ranges.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => ranges.push(range),
            }
        }
        let mut before = Vec::with_capacity(ranges.len());
        let mut sum = 0;
        for range in &ranges {
            before.push(sum);
            sum += range.len();
        }
        Self { ranges, before }
    }

    /// Returns how many bytes are removed before this offset.
    fn before(&self, at: usize) -> usize {
        let index = self.ranges.partition_point(|range| range.start < at).wrapping_sub(1);
        match (self.ranges.get(index), self.before.get(index)) {
            (Some(range), Some(before)) => before + at.min(range.end) - range.start,
            _ => 0,
        }
    }

    fn within(&self, range: &Range<usize>) -> usize {
        self.before(range.end).saturating_sub(self.before(range.start))
    }

    fn contains(&self, at: usize) -> bool {
        let index = self.ranges.partition_point(|range| range.start <= at).wrapping_sub(1);
        self.ranges.get(index).is_some_and(|range| range.contains(&at))
    }
}

#[cfg(test)]
#[path = "cuts_tests.rs"]
mod tests;
