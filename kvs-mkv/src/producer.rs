//! What a producer sends with PutMedia: one MKV document in which each cluster is a fragment.
//!
//! **Contract.** [`ProducerSplitter`] takes the document in pieces of any size and returns each cluster, with the head it
//! belongs to, as soon as the cluster has ended: at the end of its size or, if that is unknown, where the next child of
//! the Segment begins. Tags between two clusters belong to the later one, because the earlier one has been returned by
//! then. [`Limits`] bounds the bytes held. The document must have exactly one Segment (AWS API reference, PutMedia).

use crate::ebml;
use crate::element_writer::unknown_size;
use crate::elements::{self, id};
use crate::error::{Error, ErrorKind};
use crate::fragment::Document;
use crate::limits::{LimitKind, Limits};
use crate::splitter::Splitter;
use crate::writer::cluster_of;

/// One fragment of a producer's document: a cluster with the head it belongs to.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProducedFragment {
    /// EBML header, Segment of unknown size, and everything before the first cluster.
    pub head: Vec<u8>,
    /// Tags elements between the preceding cluster and this one.
    pub tags: Vec<u8>,
    /// The Cluster element, with a known size.
    pub cluster: Vec<u8>,
    /// Head, tags and cluster, parsed.
    pub document: Document,
}

/// Splits the document that a producer sends with PutMedia into fragments.
#[derive(Debug)]
pub struct ProducerSplitter {
    limits: Limits,
    /// Bytes received and not yet consumed.
    buffer: Vec<u8>,
    /// Offset of the buffer's first byte in the document.
    offset: u64,
    state: State,
    head: Vec<u8>,
    tags: Vec<u8>,
    /// Offset in the buffer of the next child of a cluster of unknown size.
    child_at: usize,
    first_cluster_seen: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    TopLevel,
    InSegment,
    InOpenCluster { content_at: usize },
}

impl ProducerSplitter {
    /// Creates a splitter at the start of a document.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            buffer: Vec::new(),
            offset: 0,
            state: State::Start,
            head: Vec::new(),
            tags: Vec::new(),
            child_at: 0,
            first_cluster_seen: false,
        }
    }

    /// Appends bytes of the document. Call [`Self::next`] afterwards until it returns `None`.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns whether the first bytes of the next cluster have been received.
    pub fn in_cluster(&self) -> bool {
        matches!(self.state, State::InOpenCluster { .. })
            || (self.state == State::InSegment && self.buffer.starts_with(&id::CLUSTER.to_be_bytes()))
    }

    /// Returns the next complete fragment, or `None` until more bytes are pushed.
    ///
    /// # Errors
    /// Returns an error if the bytes are not a producer's document, or exceed a limit.
    #[expect(clippy::should_implement_trait, reason = "more can follow after None")]
    pub fn next(&mut self) -> Result<Option<ProducedFragment>, Error> {
        loop {
            let Some(header) = self.header(0)? else {
                return Ok(None);
            };
            match self.state {
                State::Start => {
                    let kind = || Error::new(ErrorKind::NotAChunk, header.id, self.offset);
                    let size = header.size_bytes.filter(|_| header.id == id::EBML).ok_or_else(kind)?;
                    let Some(element) = self.element(header.length_bytes, size)? else { return Ok(None) };
                    self.head = element;
                    self.state = State::TopLevel;
                }
                State::TopLevel => {
                    if header.id != id::SEGMENT {
                        return Err(Error::new(ErrorKind::NoSegment, header.id, self.offset));
                    }
                    // The size is ignored: a live document has an unknown one.
                    self.drop_front(header.length_bytes);
                    // The fragment gets a Segment of its own.
                    unknown_size(&mut self.head, id::SEGMENT);
                    self.state = State::InSegment;
                }
                State::InSegment => {
                    let Some(size) = header.size_bytes else {
                        if header.id != id::CLUSTER {
                            return Err(Error::new(ErrorKind::UnknownSize, header.id, self.offset));
                        }
                        self.child_at = header.length_bytes;
                        self.state = State::InOpenCluster { content_at: header.length_bytes };
                        continue;
                    };
                    // A second document is not allowed, nor are tracks that change within a session.
                    if matches!(header.id, id::EBML | id::SEGMENT)
                        || (self.first_cluster_seen && header.id == id::TRACKS)
                    {
                        return Err(Error::new(ErrorKind::BadContent, header.id, self.offset));
                    }
                    let Some(element) = self.element(header.length_bytes, size)? else { return Ok(None) };
                    match header.id {
                        id::CLUSTER => return self.fragment(element).map(Some),
                        id::TAGS if self.first_cluster_seen => self.tags.extend(element),
                        // These hold positions in the producer's own file.
                        id::SEEK_HEAD | id::CUES => {}
                        _ if !self.first_cluster_seen => self.head.extend(element),
                        _ => {}
                    }
                    let held = self.head.len() + self.tags.len();
                    self.bounded(LimitKind::HeaderBytes, held as u64, self.limits.header_size_bytes)?;
                }
                State::InOpenCluster { content_at } => {
                    let Some(child) = self.header(self.child_at)? else { return Ok(None) };
                    if elements::is_segment_child(child.id) || matches!(child.id, id::EBML | id::SEGMENT) {
                        return self.close(content_at).map(Some);
                    }
                    let unknown = || Error::new(ErrorKind::UnknownSize, child.id, self.offset + self.child_at as u64);
                    let size = child.size_bytes.ok_or_else(unknown)?;
                    let next = (self.child_at + child.length_bytes) as u64 + size;
                    self.bounded(LimitKind::FragmentBytes, next, self.limits.fragment_size_bytes)?;
                    if next > self.buffer.len() as u64 {
                        return Ok(None);
                    }
                    self.child_at = next as usize;
                }
            }
        }
    }

    /// Ends the document and returns its last fragment, if that one has a cluster of unknown size.
    ///
    /// # Errors
    /// Returns an error if the document ended inside an element.
    pub fn finish(&mut self) -> Result<Option<ProducedFragment>, Error> {
        if let Some(fragment) = self.next()? {
            return Ok(Some(fragment));
        }
        match self.state {
            State::InOpenCluster { content_at } if self.child_at == self.buffer.len() => {
                self.close(content_at).map(Some)
            }
            State::InSegment if self.buffer.is_empty() => Ok(None),
            _ => Err(Error::new(ErrorKind::Truncated, id::SEGMENT, self.offset + self.buffer.len() as u64)),
        }
    }

    fn header(&self, at: usize) -> Result<Option<ebml::Header>, Error> {
        ebml::read_header(self.buffer.get(at..).unwrap_or_default(), self.offset + at as u64)
    }

    /// Returns an error if `actual` exceeds `limit`.
    fn bounded(&self, what: LimitKind, actual: u64, limit: usize) -> Result<(), Error> {
        let limit = limit as u64;
        if actual <= limit {
            return Ok(());
        }
        Err(Error::new(ErrorKind::TooLarge { what, actual, limit }, id::CLUSTER, self.offset))
    }

    /// Removes the element at the front of the buffer and returns it, if it has been received completely.
    fn element(&mut self, header_bytes: usize, size: u64) -> Result<Option<Vec<u8>>, Error> {
        let total = size.saturating_add(header_bytes as u64);
        self.bounded(LimitKind::FragmentBytes, total, self.limits.fragment_size_bytes)?;
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

    /// Ends a cluster of unknown size in front of the element at `child_at`.
    fn close(&mut self, content_at: usize) -> Result<ProducedFragment, Error> {
        let rest = self.buffer.split_off(self.child_at);
        self.offset += self.child_at as u64;
        let content = std::mem::replace(&mut self.buffer, rest).split_off(content_at);
        self.state = State::InSegment;
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
