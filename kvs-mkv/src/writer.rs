//! Writing chunks, in the order of elements that real recordings have (docs/GETMEDIA.md, "Order of elements").

mod entry;

use crate::element_writer::{element, uint, unknown_size, write_id, write_vint};
use crate::elements::id;
use crate::number::FragmentNumber;
use crate::tag::AwsTag;
use crate::timestamp::Timestamp;
use crate::track::Track;

/// The TimestampScale written here: nanoseconds per unit.
const TIMESTAMP_SCALE_NS: i64 = 1_000_000;

/// Writes the parts of a chunk: head, producer's tags, leading AWS tags, cluster, trailing AWS tags.
///
/// Each part consists of complete elements, so a caller can keep parts and send them again with other tags between them.
#[derive(Debug, Clone)]
pub struct ChunkWriter {
    app: String,
}

/// The service's tags in front of a cluster.
#[derive(Debug, Clone)]
pub struct LeadingTags {
    /// Value of AWS_KINESISVIDEO_FRAGMENT_NUMBER.
    pub number: FragmentNumber,
    /// Value of AWS_KINESISVIDEO_SERVER_TIMESTAMP.
    pub server_timestamp: Timestamp,
    /// Value of AWS_KINESISVIDEO_PRODUCER_TIMESTAMP.
    pub producer_timestamp: Timestamp,
}

/// The service's tags at the end of a chunk.
#[derive(Debug, Clone)]
pub struct TrailingTags {
    /// Value of AWS_KINESISVIDEO_MILLIS_BEHIND_NOW.
    pub millis_behind_now: i64,
    /// Value of AWS_KINESISVIDEO_CONTINUATION_TOKEN.
    pub continuation_token: String,
}

/// A frame to write.
#[derive(Debug, Clone, Copy)]
pub struct FrameData<'a> {
    /// Number of the frame's track.
    pub track: u64,
    /// Presentation time in nanoseconds; written with a resolution of a millisecond.
    pub timestamp_ns: i64,
    /// Whether a decoder can start at this frame.
    pub key: bool,
    /// The frame's data.
    pub data: &'a [u8],
}

impl ChunkWriter {
    /// Creates a writer that names `app` in MuxingApp and WritingApp.
    pub fn new(app: &str) -> Self {
        Self { app: app.to_owned() }
    }

    /// Writes a complete chunk.
    pub fn chunk(
        &self,
        tracks: &[Track],
        own_tags: &[(&str, &str)],
        leading: &LeadingTags,
        cluster_timestamp_ns: i64,
        frames: &[FrameData<'_>],
        trailing: &TrailingTags,
    ) -> Vec<u8> {
        let mut chunk = self.head(tracks);
        if !own_tags.is_empty() {
            chunk.extend(self.tags(own_tags));
        }
        chunk.extend(self.leading_tags(leading));
        chunk.extend(self.cluster(cluster_timestamp_ns, frames));
        chunk.extend(self.trailing_tags(trailing));
        chunk
    }

    /// Writes EBML header, Segment of unknown size, Info and Tracks.
    pub fn head(&self, tracks: &[Track]) -> Vec<u8> {
        let mut ebml = Vec::new();
        element(&mut ebml, id::DOC_TYPE, b"matroska");
        uint(&mut ebml, id::DOC_TYPE_VERSION, 4);
        uint(&mut ebml, id::DOC_TYPE_READ_VERSION, 2);
        let mut info = Vec::new();
        uint(&mut info, id::TIMESTAMP_SCALE, TIMESTAMP_SCALE_NS.unsigned_abs());
        element(&mut info, id::MUXING_APP, self.app.as_bytes());
        element(&mut info, id::WRITING_APP, self.app.as_bytes());
        let mut entries = Vec::new();
        for track in tracks {
            element(&mut entries, id::TRACK_ENTRY, &entry::track_entry(track));
        }
        let mut head = Vec::new();
        element(&mut head, id::EBML, &ebml);
        unknown_size(&mut head, id::SEGMENT);
        element(&mut head, id::INFO, &info);
        element(&mut head, id::TRACKS, &entries);
        head
    }

    /// Writes a Tags element with one Tag.
    pub fn tags(&self, tags: &[(&str, &str)]) -> Vec<u8> {
        let mut simple_tags = Vec::new();
        for (name, value) in tags {
            let mut simple_tag = Vec::new();
            element(&mut simple_tag, id::TAG_NAME, name.as_bytes());
            element(&mut simple_tag, id::TAG_STRING, value.as_bytes());
            element(&mut simple_tags, id::SIMPLE_TAG, &simple_tag);
        }
        let mut tag = Vec::new();
        element(&mut tag, id::TAG, &simple_tags);
        let mut written = Vec::new();
        element(&mut written, id::TAGS, &tag);
        written
    }

    /// Writes the service's tags that precede a cluster.
    pub fn leading_tags(&self, tags: &LeadingTags) -> Vec<u8> {
        self.tags(&[
            (AwsTag::FragmentNumber.name(), tags.number.as_str()),
            (AwsTag::ServerTimestamp.name(), &tags.server_timestamp.to_string()),
            (AwsTag::ProducerTimestamp.name(), &tags.producer_timestamp.to_string()),
        ])
    }

    /// Writes the service's tags that end a chunk.
    pub fn trailing_tags(&self, tags: &TrailingTags) -> Vec<u8> {
        self.tags(&[
            (AwsTag::MillisBehindNow.name(), &tags.millis_behind_now.to_string()),
            (AwsTag::ContinuationToken.name(), &tags.continuation_token),
        ])
    }

    /// Writes a chunk in which GetMedia reports an error about a fragment.
    pub fn error_chunk(&self, number: Option<&FragmentNumber>, error_id: u32, error_code: &str) -> Vec<u8> {
        let error_id = error_id.to_string();
        let mut tags = vec![(AwsTag::ErrorCode.name(), error_code), (AwsTag::ErrorId.name(), error_id.as_str())];
        if let Some(number) = number {
            tags.insert(0, (AwsTag::FragmentNumber.name(), number.as_str()));
        }
        let mut chunk = self.head(&[]);
        chunk.extend(self.tags(&tags));
        chunk
    }

    /// Writes a chunk in which GetMediaForFragmentList reports an error about a fragment, as the service has been observed
    /// to send it: without Info and Tracks, and with the fragment's number last.
    pub fn archive_error_chunk(&self, number: &FragmentNumber, error_id: u32, error_code: &str) -> Vec<u8> {
        let mut ebml = Vec::new();
        element(&mut ebml, id::DOC_TYPE, b"matroska");
        let mut chunk = Vec::new();
        element(&mut chunk, id::EBML, &ebml);
        unknown_size(&mut chunk, id::SEGMENT);
        chunk.extend(self.tags(&[
            (AwsTag::ErrorCode.name(), error_code),
            (AwsTag::ErrorId.name(), &error_id.to_string()),
            (AwsTag::FragmentNumber.name(), number.as_str()),
        ]));
        chunk
    }

    /// Writes a chunk in which GetMediaForFragmentList reports an error about a fragment, with the tag names of the API
    /// reference.
    pub fn exception_chunk(&self, number: &FragmentNumber, error_id: u32, message: &str) -> Vec<u8> {
        let mut chunk = self.head(&[]);
        chunk.extend(self.tags(&[
            (AwsTag::FragmentNumber.name(), number.as_str()),
            (AwsTag::ExceptionErrorCode.name(), &error_id.to_string()),
            (AwsTag::ExceptionMessage.name(), message),
        ]));
        chunk
    }

    /// Writes a Cluster of SimpleBlocks, and starts another one where a frame's time does not fit the 16 bits that a block
    /// has relative to its Cluster.
    ///
    /// Matroska cannot express times before -32.768 s; earlier frames are written at that time.
    pub fn cluster(&self, timestamp_ns: i64, frames: &[FrameData<'_>]) -> Vec<u8> {
        let data_bytes: usize = frames.iter().map(|frame| frame.data.len() + 32).sum();
        let mut written = Vec::with_capacity(data_bytes + 32);
        let mut content = Vec::with_capacity(data_bytes + 16);
        let mut cluster_units = begin_cluster(&mut content, timestamp_ns / TIMESTAMP_SCALE_NS);
        for frame in frames {
            let units = frame.timestamp_ns / TIMESTAMP_SCALE_NS;
            let relative = match i16::try_from(units - cluster_units) {
                Ok(relative) => relative,
                Err(_) => {
                    element(&mut written, id::CLUSTER, &content);
                    content.clear();
                    cluster_units = begin_cluster(&mut content, units);
                    i16::try_from(units - cluster_units).unwrap_or(i16::MIN)
                }
            };
            let mut head = Vec::with_capacity(12);
            write_vint(&mut head, frame.track);
            head.extend(relative.to_be_bytes());
            head.push(if frame.key { 0x80 } else { 0 });
            write_id(&mut content, id::SIMPLE_BLOCK);
            write_vint(&mut content, (head.len() + frame.data.len()) as u64);
            content.extend(head);
            content.extend(frame.data);
        }
        element(&mut written, id::CLUSTER, &content);
        written
    }
}

/// Writes a Cluster's Timestamp, which cannot be negative, and returns it.
fn begin_cluster(content: &mut Vec<u8>, units: i64) -> i64 {
    let units = units.max(0);
    uint(content, id::CLUSTER_TIMESTAMP, units.unsigned_abs());
    units
}

/// Returns a Cluster with this content and a size field of eight bytes.
pub(crate) fn cluster_of(content: &[u8]) -> Vec<u8> {
    let mut cluster = id::CLUSTER.to_be_bytes().to_vec();
    cluster.extend((content.len() as u64 | 1 << 56).to_be_bytes());
    cluster.extend(content);
    cluster
}
