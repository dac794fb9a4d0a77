//! Splits Amazon Kinesis Video Streams media into fragments, and writes such media.
//!
//! **Contract.** A [`Splitter`] takes the body of a GetMedia response in pieces of any size and returns each [`Fragment`]
//! once, as soon as its trailing AWS tags have been read; the result does not depend on how the bytes were cut. A
//! fragment's payload is the chunk's bytes, contiguous and unchanged, from the EBML header to the last byte of the chunk.
//! Input is never trusted: whatever the bytes are, the result is a fragment, an [`Error`] that names element, id and byte
//! offset, or a request for more bytes. [`Limits`] bounds the memory in use.
//!
//! The crate does no I/O, needs no async runtime and has no `unsafe` code.
//!
//! ```
//! use kvs_mkv::{Event, Splitter};
//!
//! # fn receive() -> Vec<Vec<u8>> { Vec::new() }
//! let mut splitter = Splitter::default();
//! for piece in receive() {
//!     let mut rest = piece.as_slice();
//!     while let Some(event) = splitter.push(&mut rest)? {
//!         if let Event::Fragment(fragment) = event {
//!             println!("{} has {} frames", fragment.number, fragment.frames.len());
//!         }
//!     }
//! }
//! # Ok::<(), kvs_mkv::Error>(())
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod block;
mod continuity;
mod cuts;
mod declared;
mod ebml;
mod element_writer;
mod elements;
mod error;
mod file;
mod fragment;
mod joined;
mod limits;
mod media_type;
mod number;
mod payload;
mod payload_pool;
mod producer;
mod search;
mod splitter;
mod tag;
mod timestamp;
mod track;
mod writer;

pub use block::Frame;
pub use continuity::Continuity;
pub use declared::Samples;
pub use error::{Error, ErrorKind};
pub use file::{FileCluster, FileSegment};
pub use fragment::{Broken, Cluster, Document, ErrorReport, Fragment};
pub use joined::{FileJoiner, JoinError};
pub use limits::{LimitKind, Limits};
pub use media_type::media_type;
pub use number::{BadFragmentNumber, FragmentNumber};
pub use payload::Payload;
pub use payload_pool::PayloadPool;
pub use producer::{ProducedFragment, ProducerSplitter};
pub use search::{CHUNK_START_MAX_BYTES, find_chunk};
pub use splitter::{Completion, End, Event, Splitter, TracksError};
pub use tag::{AwsTag, Tag, TagValue};
pub use timestamp::Timestamp;
pub use track::{
    AudioSettings, Colour, CompressionAlgorithm, ContentEncoding, ContentTransform, DisplayUnit, PixelCrop, Track,
    TrackKind, VideoSettings,
};
pub use writer::{ChunkWriter, FrameData, LeadingTags, TrailingTags};
