//! What a producer sends with PutMedia: one MKV document, a fragment a cluster.
//!
//! **Contract.** [`ProducerSplitter`] takes the document in pieces of any size and hands out each cluster with the
//! head it belongs to as soon as the cluster is over: at its size, or, when that is unknown, where the next element of
//! the Segment begins. Tags between two clusters belong to the later one, for the earlier one is handed out by then.
//! Bytes held are bounded by [`Limits`]. One Segment is all there may be (AWS API reference, PutMedia).

use crate::ebml::{self, id};
use crate::error::{Error, ErrorKind};
use crate::fragment::Document;
use crate::limits::Limits;
use crate::splitter::Splitter;
use crate::writer::{cluster_of, unknown_size};

/// A cluster as a producer sent it.
#[derive(Debug)]
pub struct ProducedFragment {
    /// EBML header, Segment of unknown size, and what stood before the first cluster.
    pub head: Vec<u8>,
    /// Tags that stood between this cluster and the one before.
    pub tags: Vec<u8>,
    /// The Cluster element, its size known.
    pub cluster: Vec<u8>,
    /// Head, tags and cluster, read.
    pub document: Document,
}

/// Splits a producer's document.
#[derive(Debug)]
pub struct ProducerSplitter {
    limits: Limits,
    /// What has come and is not handed on.
    buffer: Vec<u8>,
    /// Offset of the buffer's begin in the document.
    offset: u64,
    place: Place,
    head: Vec<u8>,
    tags: Vec<u8>,
    /// Where in the buffer the next child of a cluster of unknown size begins.
    child_at: usize,
    first_cluster_seen: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    TopLevel,
    InSegment,
    InOpenCluster { content_at: usize },
}

impl ProducerSplitter {
    /// A splitter at the beginning of a document.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: Vec::new(),
            offset: 0,
            place: Place::Start,
            head: Vec::new(),
            tags: Vec::new(),
            child_at: 0,
            first_cluster_seen: false,
        }
    }

    /// Takes bytes in; then call [`Self::next`] until it has nothing.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the first bytes of a cluster have come.
    pub fn in_cluster(&self) -> bool {
        matches!(self.place, Place::InOpenCluster { .. })
            || (self.place == Place::InSegment && self.buffer.starts_with(&id::CLUSTER.to_be_bytes()))
    }

    /// The next whole fragment, if it has come.
    ///
    /// # Errors
    /// When the bytes are no document of a producer, or pass a limit.
    #[expect(clippy::should_implement_trait, reason = "it goes on after None")]
    pub fn next(&mut self) -> Result<Option<ProducedFragment>, Error> {
        loop {
            let Some(header) = self.header(0)? else {
                return Ok(None);
            };
            match self.place {
                Place::Start => {
                    let kind = || Error::new(ErrorKind::NotAChunk, header.id, self.offset);
                    let size = header.size_bytes.filter(|_| header.id == id::EBML).ok_or_else(kind)?;
                    let Some(element) = self.element(header.length_bytes, size)? else { return Ok(None) };
                    self.head = element;
                    self.place = Place::TopLevel;
                }
                Place::TopLevel => {
                    if header.id != id::SEGMENT {
                        return Err(Error::new(ErrorKind::NoSegment, header.id, self.offset));
                    }
                    // Its size is not trusted: what a producer sends live has none.
                    self.drop_front(header.length_bytes);
                    // The fragment holds another one.
                    unknown_size(&mut self.head, id::SEGMENT);
                    self.place = Place::InSegment;
                }
                Place::InSegment => {
                    let Some(size) = header.size_bytes else {
                        if header.id != id::CLUSTER {
                            return Err(Error::new(ErrorKind::UnknownSize, header.id, self.offset));
                        }
                        self.child_at = header.length_bytes;
                        self.place = Place::InOpenCluster { content_at: header.length_bytes };
                        continue;
                    };
                    // A second document, or tracks that change on the way, are not allowed.
                    if matches!(header.id, id::EBML | id::SEGMENT)
                        || (self.first_cluster_seen && header.id == id::TRACKS)
                    {
                        return Err(Error::new(ErrorKind::BadContent, header.id, self.offset));
                    }
                    let Some(element) = self.element(header.length_bytes, size)? else { return Ok(None) };
                    match header.id {
                        id::CLUSTER => return self.fragment(element).map(Some),
                        id::TAGS if self.first_cluster_seen => self.tags.extend(element),
                        // Places in the producer's own file.
                        id::SEEK_HEAD | id::CUES => {}
                        _ if !self.first_cluster_seen => self.head.extend(element),
                        _ => {}
                    }
                    let held = self.head.len() + self.tags.len();
                    self.bounded("header bytes", held as u64, self.limits.header_size_bytes)?;
                }
                Place::InOpenCluster { content_at } => {
                    let Some(child) = self.header(self.child_at)? else { return Ok(None) };
                    if ebml::is_segment_child(child.id) || matches!(child.id, id::EBML | id::SEGMENT) {
                        return self.close(content_at).map(Some);
                    }
                    let unknown = || Error::new(ErrorKind::UnknownSize, child.id, self.offset + self.child_at as u64);
                    let size = child.size_bytes.ok_or_else(unknown)?;
                    let next = (self.child_at + child.length_bytes) as u64 + size;
                    self.bounded("fragment bytes", next, self.limits.fragment_size_bytes)?;
                    if next > self.buffer.len() as u64 {
                        return Ok(None);
                    }
                    self.child_at = next as usize;
                }
            }
        }
    }

    /// The document is over: the last fragment, when its cluster had no size.
    ///
    /// # Errors
    /// When it ended inside an element.
    pub fn finish(&mut self) -> Result<Option<ProducedFragment>, Error> {
        if let Some(fragment) = self.next()? {
            return Ok(Some(fragment));
        }
        match self.place {
            Place::InOpenCluster { content_at } if self.child_at == self.buffer.len() => {
                self.close(content_at).map(Some)
            }
            Place::InSegment if self.buffer.is_empty() => Ok(None),
            _ => Err(Error::new(ErrorKind::Truncated, id::SEGMENT, self.offset + self.buffer.len() as u64)),
        }
    }

    fn header(&self, at: usize) -> Result<Option<ebml::Header>, Error> {
        ebml::read_header(self.buffer.get(at..).unwrap_or_default(), self.offset + at as u64)
    }

    fn bounded(&self, what: &'static str, actual: u64, limit: usize) -> Result<(), Error> {
        let limit = limit as u64;
        if actual <= limit {
            return Ok(());
        }
        Err(Error::new(ErrorKind::TooLarge { what, actual, limit }, id::CLUSTER, self.offset))
    }

    /// Takes the element at the front, if all of it has come.
    fn element(&mut self, header_bytes: usize, size: u64) -> Result<Option<Vec<u8>>, Error> {
        let total = size.saturating_add(header_bytes as u64);
        self.bounded("fragment bytes", total, self.limits.fragment_size_bytes)?;
        if total > self.buffer.len() as u64 {
            return Ok(None);
        }
        let rest = self.buffer.split_off(total as usize);
        self.offset += total;
        Ok(Some(std::mem::replace(&mut self.buffer, rest)))
    }

    fn drop_front(&mut self, count: usize) {
        self.buffer.drain(..count);
        self.offset += count as u64;
    }

    /// Ends a cluster of unknown size before the element at `child_at`.
    fn close(&mut self, content_at: usize) -> Result<ProducedFragment, Error> {
        let rest = self.buffer.split_off(self.child_at);
        self.offset += self.child_at as u64;
        let content = std::mem::replace(&mut self.buffer, rest).split_off(content_at);
        self.place = Place::InSegment;
        self.fragment(cluster_of(&content))
    }

    fn fragment(&mut self, cluster: Vec<u8>) -> Result<ProducedFragment, Error> {
        self.first_cluster_seen = true;
        let tags = std::mem::take(&mut self.tags);
        let whole = [self.head.as_slice(), &tags, &cluster].concat();
        let document = Splitter::read_document(&whole, self.limits)?;
        Ok(ProducedFragment { head: self.head.clone(), tags, cluster, document })
    }
}

#[cfg(test)]
#[path = "producer_tests.rs"]
mod tests;
