//! What has been read of the chunk being received.

use std::ops::Range;
use std::sync::Arc;

use crate::block::Frame;
use crate::ebml;
use crate::elements::{DEFAULT_TIMESTAMP_SCALE_NS, id};
use crate::error::{Error, ErrorKind};
use crate::fragment::{Broken, Cluster, Document, ErrorReport, Fragment};
use crate::limits::{LimitKind, Limits};
use crate::number::FragmentNumber;
use crate::payload::Payload;
use crate::tag::{self, AwsTag, TagSpan};
use crate::timestamp::Timestamp;
use crate::track::{self, Track};

use super::event::Event;

#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) number: Option<FragmentNumber>,
    pub(super) token: Option<Box<str>>,
    /// Offset in the chunk at which a Segment of known size ends.
    pub(super) segment_end: Option<u64>,
    /// The first error in the chunk's head. Reported only after the head, when the fragment's number is known if it is
    /// readable at all.
    pub(super) fault: Option<Error>,
    pub(super) frames: Vec<Frame>,
    pub(super) clusters: Vec<Cluster>,
    leading_tags: Range<usize>,
    trailing_tags: Option<Range<usize>>,
    server_timestamp: Option<Timestamp>,
    producer_timestamp: Option<Timestamp>,
    millis_behind_now: Option<i64>,
    error_id: Option<u32>,
    error_code: Option<String>,
    error_message: Option<String>,
    timestamp_scale_ns: u64,
    segment_uid: Option<Box<[u8]>>,
    pub(super) tracks: Arc<[Track]>,
    tags: Vec<TagSpan>,
    /// Number of tags read, including the service's own.
    tag_count: usize,
}

/// The tracks of the last chunk with the bytes they were read from. A stream's chunks usually all have the same tracks,
/// which are then read once.
#[derive(Debug, Default)]
pub(super) struct TracksCache {
    content: Vec<u8>,
    tracks: Arc<[Track]>,
}

impl Default for Chunk {
    fn default() -> Self {
        Self {
            number: None,
            token: None,
            segment_end: None,
            fault: None,
            frames: Vec::new(),
            clusters: Vec::new(),
            leading_tags: 0..0,
            trailing_tags: None,
            server_timestamp: None,
            producer_timestamp: None,
            millis_behind_now: None,
            error_id: None,
            error_code: None,
            error_message: None,
            timestamp_scale_ns: DEFAULT_TIMESTAMP_SCALE_NS,
            segment_uid: None,
            tracks: Arc::default(),
            tags: Vec::new(),
            tag_count: 0,
        }
    }
}

impl Chunk {
    pub(super) fn is_error(&self) -> bool {
        self.error_id.is_some() || self.error_code.is_some()
    }

    /// Returns the error found in the head, unless the chunk is an error report of the service, which takes precedence.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        if self.is_error() {
            return Ok(());
        }
        self.fault.take().map_or(Ok(()), Err)
    }

    /// Returns an error if the chunk has no fragment number, unless it is an error report of the service.
    pub(super) fn check_number(&self, chunk_offset: u64) -> Result<(), Error> {
        if self.number.is_some() || self.is_error() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::MissingFragmentNumber, id::SEGMENT, chunk_offset))
    }

    /// Returns what had been read of an invalid chunk.
    pub(super) fn into_broken(self, offset: u64, payload: Payload) -> Broken {
        let Self { number, server_timestamp, producer_timestamp, .. } = self;
        Broken { number, server_timestamp, producer_timestamp, offset, payload }
    }

    /// Returns a track's default duration, 0 if it has none; needed for the frames of a laced block.
    pub(super) fn default_duration_ns(&self, track_number: u64) -> u64 {
        let track = self.tracks.iter().find(|track| track.number == track_number);
        track.and_then(|track| track.default_duration_ns).unwrap_or(0)
    }

    /// Converts units of TimestampScale to nanoseconds. Saturates, because a wrong timestamp must not stop the media.
    pub(super) fn scaled_ns(&self, units: i64) -> i64 {
        units.saturating_mul(i64::try_from(self.timestamp_scale_ns).unwrap_or(i64::MAX))
    }

    pub(super) fn begin_cluster(&mut self, offset: usize) {
        self.clusters.push(Cluster { timestamp_ns: 0, offset, first_frame: self.frames.len() });
    }

    /// Sets the cluster's timestamp and shifts the blocks that preceded it in the cluster.
    pub(super) fn set_cluster_timestamp(&mut self, units: u64) {
        let timestamp_ns = self.scaled_ns(i64::try_from(units).unwrap_or(i64::MAX));
        let Some(cluster) = self.clusters.last_mut() else { return };
        let moved_ns = timestamp_ns.saturating_sub(cluster.timestamp_ns);
        cluster.timestamp_ns = timestamp_ns;
        for frame in &mut self.frames[cluster.first_frame..] {
            frame.timestamp_ns = frame.timestamp_ns.saturating_add(moved_ns);
        }
    }

    pub(super) fn cluster_timestamp_ns(&self) -> i64 {
        self.clusters.last().map_or(0, |cluster| cluster.timestamp_ns)
    }

    /// Reads an Info element's content.
    pub(super) fn read_info(&mut self, content: &[u8], offset: u64) -> Result<(), Error> {
        let mut children = ebml::Children::new(content, id::INFO, offset);
        while let Some(child) = children.next()? {
            match child.id {
                id::TIMESTAMP_SCALE => {
                    let bad = || Error::new(ErrorKind::BadContent, child.id, offset + child.content_at as u64);
                    let scale = ebml::read_uint(child.content).ok_or_else(bad)?;
                    self.timestamp_scale_ns = if scale == 0 { DEFAULT_TIMESTAMP_SCALE_NS } else { scale };
                }
                id::SEGMENT_UID => self.segment_uid = Some(child.content.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a Tracks element's content, or returns the cached tracks if the bytes are the same.
    pub(super) fn read_tracks(
        &mut self,
        content: &[u8],
        offset: u64,
        limits: &Limits,
        cache: &mut TracksCache,
    ) -> Result<(), Error> {
        if cache.content != content || content.is_empty() {
            cache.tracks = track::read_tracks(content, offset, limits)?.into();
            cache.content.clear();
            cache.content.extend_from_slice(content);
        }
        self.tracks = Arc::clone(&cache.tracks);
        Ok(())
    }

    /// Reads the content of a Tags element. `element_at` and `content_at` are offsets in the chunk.
    pub(super) fn read_tags(
        &mut self,
        content: &[u8],
        element_at: usize,
        content_at: usize,
        chunk_offset: u64,
        limits: &Limits,
    ) -> Result<(), Error> {
        let element = element_at..content_at + content.len();
        tag::read_tags(content, content_at, chunk_offset, limits, &mut |span| {
            self.tag_count += 1;
            let offset = chunk_offset + span.name.start as u64;
            if self.tag_count > limits.tags {
                let kind = ErrorKind::TooLarge {
                    what: LimitKind::Tags,
                    actual: self.tag_count as u64,
                    limit: limits.tags as u64,
                };
                return Err(Error::new(kind, id::SIMPLE_TAG, offset));
            }
            let local = |range: &Range<usize>| &content[range.start - content_at..range.end - content_at];
            match AwsTag::from_name(local(&span.name)) {
                Some(aws_tag) => {
                    match aws_tag {
                        AwsTag::FragmentNumber => self.leading_tags = element.clone(),
                        AwsTag::ContinuationToken => self.trailing_tags = Some(element.clone()),
                        _ => {}
                    }
                    self.set_aws_tag(aws_tag, local(&span.value), offset)
                }
                None => {
                    self.tags.push(span);
                    Ok(())
                }
            }
        })
    }

    fn set_aws_tag(&mut self, tag: AwsTag, value: &[u8], offset: u64) -> Result<(), Error> {
        let text = || String::from_utf8_lossy(value).into_owned();
        match tag {
            AwsTag::FragmentNumber => {
                let number = FragmentNumber::from_bytes(value)
                    .map_err(|_| Error::new(ErrorKind::BadFragmentNumber, id::TAG_STRING, offset))?;
                self.number = Some(number);
            }
            AwsTag::ServerTimestamp => self.server_timestamp = Timestamp::from_seconds_text(value),
            AwsTag::ProducerTimestamp => self.producer_timestamp = Timestamp::from_seconds_text(value),
            AwsTag::MillisBehindNow => {
                self.millis_behind_now = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            }
            AwsTag::ContinuationToken => {
                let valid = (1..=128).contains(&value.len()) && value.is_ascii();
                let token = std::str::from_utf8(value).ok().filter(|_| valid);
                let bad = || Error::new(ErrorKind::BadContinuationToken, id::TAG_STRING, offset);
                self.token = Some(token.ok_or_else(bad)?.into());
            }
            AwsTag::ErrorId => {
                self.error_id = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                if self.error_id.is_none() {
                    self.error_code.get_or_insert_with(text);
                }
            }
            AwsTag::ErrorCode => self.error_code = Some(text()),
            // The API reference of GetMediaForFragmentList documents this tag as the numeric id.
            AwsTag::ExceptionErrorCode => match std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()) {
                Some(id) => self.error_id = Some(id),
                None => self.error_code = Some(text()),
            },
            AwsTag::ExceptionMessage => self.error_message = Some(text()),
        }
        Ok(())
    }

    /// Returns the chunk as a document without the service's tags.
    pub(super) fn into_document(self, bytes: Payload) -> Document {
        Document {
            tracks: self.tracks,
            clusters: self.clusters,
            frames: self.frames,
            tags: last_of_each_name(self.tags, &bytes),
            bytes,
        }
    }

    /// Returns the event of a chunk that has ended, or `None` if the chunk was empty.
    pub(super) fn into_event(
        self,
        payload: Payload,
        complete: bool,
        chunk_offset: u64,
    ) -> Result<Option<Event>, Error> {
        if self.is_error() {
            return Ok(Some(Event::Error(ErrorReport {
                fragment_number: self.number,
                error_id: self.error_id,
                error_code: self.error_code,
                message: self.error_message,
            })));
        }
        if payload.is_empty() {
            return Ok(None);
        }
        let fragment = self.into_fragment(payload, complete, chunk_offset)?;
        Ok(Some(if complete { Event::Fragment(fragment) } else { Event::Unterminated(fragment) }))
    }

    /// Returns the chunk as a fragment.
    pub(super) fn into_fragment(self, payload: Payload, complete: bool, chunk_offset: u64) -> Result<Fragment, Error> {
        let Some(number) = self.number else {
            return Err(Error::new(ErrorKind::MissingFragmentNumber, id::SEGMENT, chunk_offset));
        };
        Ok(Fragment {
            number,
            server_timestamp: self.server_timestamp,
            producer_timestamp: self.producer_timestamp,
            millis_behind_now: self.millis_behind_now,
            continuation_token: self.token,
            complete,
            segment_uid: self.segment_uid,
            tracks: self.tracks,
            clusters: self.clusters,
            frames: self.frames,
            leading_tags: self.leading_tags,
            trailing_tags: self.trailing_tags,
            tags: last_of_each_name(self.tags, &payload),
            payload,
        })
    }
}

/// Keeps one tag per name and track: the last value, at the position of the first.
fn last_of_each_name(spans: Vec<TagSpan>, chunk: &[u8]) -> Vec<TagSpan> {
    let mut tags: Vec<TagSpan> = Vec::with_capacity(spans.len());
    for span in spans {
        let name = &chunk[span.name.clone()];
        let same = |known: &&mut TagSpan| known.track_uid == span.track_uid && &chunk[known.name.clone()] == name;
        match tags.iter_mut().find(same) {
            Some(known) => *known = span,
            None => tags.push(span),
        }
    }
    tags
}
