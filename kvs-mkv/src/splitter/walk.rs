//! One step of the walk: what the splitter does with the element at `Splitter::at`.

use crate::block::{self, BLOCK_HEAD_MAX_BYTES, BlockHead, Frame, Lacing};
use crate::ebml::{self, HEADER_MAX_BYTES, Header};
use crate::elements::{self, id};
use crate::error::{Error, ErrorKind};
use crate::limits::LimitKind;

use super::Splitter;
use super::state::{Group, State, Step};
use super::window::join;

/// The maximum size of an element's header and a block's head together.
const WINDOW_MAX_BYTES: usize = HEADER_MAX_BYTES + BLOCK_HEAD_MAX_BYTES;

impl Splitter {
    /// Handles the element at `self.at`, which must not lie beyond the last byte received.
    pub(super) fn look(&mut self, input: &mut &[u8]) -> Result<Step, Error> {
        if self.leave_finished() {
            return Ok(Step::Forward);
        }
        let mut small = [0; WINDOW_MAX_BYTES];
        let window = self.window(input, &mut small);
        let Some(header) = ebml::read_header(window, self.offset())? else { return Ok(Step::NeedMore) };
        if header.id == id::EBML && self.state != State::Start {
            return Ok(Step::NextChunk);
        }
        match self.state {
            State::Start => self.enter_chunk(header),
            // The caller skips everything between chunks first.
            State::TopLevel | State::Between => self.enter_segment(header),
            State::InSegment => self.look_in_segment(header, input),
            State::InCluster { end } => {
                if elements::is_segment_child(header.id) || header.id == id::SEGMENT {
                    // A Cluster of known size can end early as well: when its end was cut off and tags were appended.
                    self.state = State::InSegment;
                    return Ok(Step::Forward);
                }
                let head = &window[header.length_bytes.min(window.len())..];
                // `window` may borrow from `small`; the head is copied out of it.
                let head = copy_head(head);
                self.look_in_cluster(header, end, head, input)
            }
            State::InBlockGroup { end, cluster_end, group } => {
                let head = copy_head(&window[header.length_bytes.min(window.len())..]);
                self.look_in_group(header, end, cluster_end, group, head, input)
            }
        }
    }

    /// Returns the stream offset of the element at `self.at`.
    fn offset(&self) -> u64 {
        self.chunk_offset + self.at as u64
    }

    /// Returns up to `small.len()` bytes from `self.at` on, in one slice.
    fn window<'a>(&self, input: &'a [u8], small: &'a mut [u8]) -> &'a [u8] {
        let copied = self.payload.len();
        if self.at >= copied {
            return join(&[], &input[self.at - copied..], small);
        }
        join(&self.payload[self.at..], input, small)
    }

    /// Leaves a master element whose end has been reached. Returns whether there was one.
    pub(super) fn leave_finished(&mut self) -> bool {
        let at = self.at as u64;
        match self.state {
            State::InBlockGroup { end, cluster_end, group } if at >= end => {
                self.finish_group(group);
                self.state = State::InCluster { end: cluster_end };
            }
            State::InCluster { end: Some(end) } if at >= end => self.state = State::InSegment,
            _ => return false,
        }
        true
    }

    fn enter_chunk(&mut self, header: Header) -> Result<Step, Error> {
        if header.id != id::EBML {
            return Err(self.error(ErrorKind::NotAChunk, header));
        }
        self.skip(header)?;
        self.state = State::TopLevel;
        Ok(Step::Forward)
    }

    fn enter_segment(&mut self, header: Header) -> Result<Step, Error> {
        match header.id {
            id::SEGMENT => {
                self.at += header.length_bytes;
                self.chunk.segment_end = header.size_bytes.map(|size| size.saturating_add(self.at as u64));
                self.state = State::InSegment;
                Ok(Step::Forward)
            }
            id::VOID | id::CRC_32 => self.skip(header),
            _ => Err(self.error(ErrorKind::NoSegment, header)),
        }
    }

    /// Handles a child of Segment. A Segment's known size is not enforced, because the service appends tags beyond it.
    fn look_in_segment(&mut self, header: Header, input: &mut &[u8]) -> Result<Step, Error> {
        match header.id {
            id::SEGMENT => Err(self.error(ErrorKind::NotAChunk, header)),
            id::CLUSTER => {
                self.chunk.check()?;
                if self.chunk.token.is_some() {
                    return Err(self.error(ErrorKind::MediaAfterToken, header));
                }
                self.chunk.begin_cluster(self.at);
                if header.size_bytes.is_some() {
                    self.check_size(header)?;
                }
                self.at += header.length_bytes;
                let end = header.size_bytes.map(|size| size.saturating_add(self.at as u64));
                self.state = State::InCluster { end };
                Ok(Step::Forward)
            }
            id::INFO | id::TRACKS | id::TAGS => self.read_whole(header, input, |splitter, content, content_at| {
                let content_offset = splitter.chunk_offset + content_at as u64;
                let element_at = splitter.at;
                let chunk = &mut splitter.chunk;
                let read = match header.id {
                    id::INFO => chunk.read_info(content, content_offset),
                    id::TRACKS => {
                        chunk.read_tracks(content, content_offset, &splitter.limits, &mut splitter.tracks_cache)
                    }
                    _ => chunk.read_tags(content, element_at, content_at, splitter.chunk_offset, &splitter.limits),
                };
                // The element's size is valid, so the walk can continue to a fragment number behind it.
                if let Err(error) = read {
                    chunk.fault.get_or_insert(error);
                }
                Ok(())
            }),
            _ => self.skip(header),
        }
    }

    fn look_in_cluster(
        &mut self,
        header: Header,
        end: Option<u64>,
        head: Head,
        input: &mut &[u8],
    ) -> Result<Step, Error> {
        let child_end = self.child_end(header, end, "Cluster")?;
        match header.id {
            id::CLUSTER_TIMESTAMP => self.read_whole(header, input, |splitter, content, content_at| {
                let units = splitter.uint(header, content, content_at)?;
                splitter.chunk.set_cluster_timestamp(units);
                Ok(())
            }),
            id::SIMPLE_BLOCK => self.read_block(header, head, input, true),
            id::BLOCK_GROUP => {
                self.check_size(header)?;
                self.at += header.length_bytes;
                let group = Group { first_frame: self.chunk.frames.len(), referring: false, duration: None };
                self.state = State::InBlockGroup { end: child_end, cluster_end: end, group };
                Ok(Step::Forward)
            }
            _ => self.skip(header),
        }
    }

    fn look_in_group(
        &mut self,
        header: Header,
        end: u64,
        cluster_end: Option<u64>,
        group: Group,
        head: Head,
        input: &mut &[u8],
    ) -> Result<Step, Error> {
        self.child_end(header, Some(end), "BlockGroup")?;
        let again = move |group| State::InBlockGroup { end, cluster_end, group };
        match header.id {
            id::BLOCK => self.read_block(header, head, input, false),
            id::REFERENCE_BLOCK => {
                self.state = again(Group { referring: true, ..group });
                self.skip(header)
            }
            id::BLOCK_DURATION => self.read_whole(header, input, |splitter, content, content_at| {
                let duration = Some(splitter.uint(header, content, content_at)?);
                splitter.state = again(Group { duration, ..group });
                Ok(())
            }),
            _ => self.skip(header),
        }
    }

    /// Completes the frames of a BlockGroup: only at its end is it known whether they are key frames and how long they
    /// are shown.
    fn finish_group(&mut self, group: Group) {
        let scaled = |units: u64| self.chunk.scaled_ns(i64::try_from(units).unwrap_or(i64::MAX));
        let duration_ns = group.duration.map(|units| scaled(units).unsigned_abs());
        let count = self.chunk.frames.len().saturating_sub(group.first_frame) as u64;
        for frame in &mut self.chunk.frames[group.first_frame..] {
            frame.key = !group.referring;
            frame.duration_ns = duration_ns.map(|duration| duration / count.max(1));
        }
    }

    /// Indexes a block and steps over it without looking at its data.
    fn read_block(&mut self, header: Header, head: Head, input: &mut &[u8], simple: bool) -> Result<Step, Error> {
        let size = self.check_size(header)?;
        let bad = |reason| ErrorKind::BadBlock { reason };
        let head_bytes = &head.bytes[..head.length.min(size)];
        let head = match block::read_head(head_bytes).map_err(|reason| self.error(bad(reason), header))? {
            Some(head) => head,
            None if head_bytes.len() == size => return Err(self.error(bad("it is cut"), header)),
            None => return Ok(Step::NeedMore),
        };
        let data_at = self.at + header.length_bytes + head.length_bytes;
        let data_size = size - head.length_bytes;
        if head.lacing == Lacing::None {
            self.push_frame(header, head, data_at, data_size, 0, simple)?;
            self.at = data_at + data_size;
            return Ok(Step::Forward);
        }
        self.read_whole(header, input, |splitter, content, content_at| {
            let laced = &content[head.length_bytes..];
            let (sizes, first_at) = block::read_lacing(head.lacing, laced)
                .map_err(|reason| Error::new(bad(reason), header.id, splitter.chunk_offset + content_at as u64))?;
            let step_ns = splitter.chunk.default_duration_ns(head.track);
            let mut frame_at = content_at + head.length_bytes + first_at;
            let mut later_ns = 0_u64;
            for frame_size in sizes {
                splitter.push_frame(header, head, frame_at, frame_size, later_ns, simple)?;
                frame_at += frame_size;
                later_ns = later_ns.saturating_add(step_ns);
            }
            Ok(())
        })
    }

    fn push_frame(
        &mut self,
        header: Header,
        head: BlockHead,
        offset: usize,
        size_bytes: usize,
        later_ns: u64,
        simple: bool,
    ) -> Result<(), Error> {
        let count = self.chunk.frames.len();
        if count >= self.limits.frames {
            let limit = self.limits.frames as u64;
            return Err(
                self.error(ErrorKind::TooLarge { what: LimitKind::Frames, actual: count as u64 + 1, limit }, header)
            );
        }
        let block_ns = self.chunk.scaled_ns(i64::from(head.timestamp));
        let timestamp_ns = self.chunk.cluster_timestamp_ns().saturating_add(block_ns).saturating_add_unsigned(later_ns);
        let key = simple && head.key;
        self.chunk.frames.push(Frame { track: head.track, timestamp_ns, offset, size_bytes, key, duration_ns: None });
        Ok(())
    }

    /// Reads an element whose content has to be in memory as a whole, and steps over it.
    fn read_whole(
        &mut self,
        header: Header,
        input: &mut &[u8],
        read: impl FnOnce(&mut Self, &[u8], usize) -> Result<(), Error>,
    ) -> Result<Step, Error> {
        let size = self.check_size(header)?;
        let content_at = self.at + header.length_bytes;
        let end = content_at + size;
        let copied = self.payload.len();
        if end > copied + input.len() {
            return Ok(Step::NeedMore);
        }
        if self.at >= copied {
            let content = &input[content_at - copied..end - copied];
            read(self, content, content_at)?;
        } else {
            // The element began in an earlier piece: copying its rest makes it contiguous in the payload.
            self.copy(input, end.saturating_sub(copied));
            let payload = std::mem::take(&mut self.payload);
            let result = read(self, &payload[content_at..end], content_at);
            self.payload = payload;
            result?;
        }
        self.at = end;
        Ok(Step::Forward)
    }

    /// Steps over an element without looking into it.
    fn skip(&mut self, header: Header) -> Result<Step, Error> {
        let size = self.check_size(header)?;
        self.at += header.length_bytes + size;
        Ok(Step::Forward)
    }

    /// Returns the size of an element that has to have a known one, if the chunk up to its end is within the limits.
    fn check_size(&self, header: Header) -> Result<usize, Error> {
        let Some(size) = header.size_bytes else { return Err(self.error(ErrorKind::UnknownSize, header)) };
        let in_header = self.chunk.clusters.is_empty();
        let (what, limit) = if in_header {
            (LimitKind::HeaderBytes, self.limits.header_size_bytes.min(self.limits.fragment_size_bytes))
        } else {
            (LimitKind::FragmentBytes, self.limits.fragment_size_bytes)
        };
        let end = size.saturating_add((self.at + header.length_bytes) as u64);
        match usize::try_from(size) {
            Ok(size) if end <= limit as u64 => Ok(size),
            _ => Err(self.error(ErrorKind::TooLarge { what, actual: end, limit: limit as u64 }, header)),
        }
    }

    /// Returns the end of a child, which must not lie beyond the end of its parent.
    fn child_end(&self, header: Header, parent_end: Option<u64>, parent: &'static str) -> Result<u64, Error> {
        let Some(size) = header.size_bytes else { return Err(self.error(ErrorKind::UnknownSize, header)) };
        let end = size.saturating_add((self.at + header.length_bytes) as u64);
        if parent_end.is_some_and(|parent_end| end > parent_end) {
            return Err(self.error(ErrorKind::Overruns { parent }, header));
        }
        Ok(end)
    }

    fn uint(&self, header: Header, content: &[u8], content_at: usize) -> Result<u64, Error> {
        let offset = self.chunk_offset + content_at as u64;
        ebml::read_uint(content).ok_or_else(|| Error::new(ErrorKind::BadContent, header.id, offset))
    }

    fn error(&self, kind: ErrorKind, header: Header) -> Error {
        Error::new(kind, header.id, self.offset())
    }
}

/// The first bytes of a block's content, as far as they have arrived.
struct Head {
    bytes: [u8; BLOCK_HEAD_MAX_BYTES],
    length: usize,
}

fn copy_head(bytes: &[u8]) -> Head {
    let length = bytes.len().min(BLOCK_HEAD_MAX_BYTES);
    let mut head = [0; BLOCK_HEAD_MAX_BYTES];
    head[..length].copy_from_slice(&bytes[..length]);
    Head { bytes: head, length }
}
