//! Turns fragments of Amazon Kinesis Video Streams into frames that a decoder can take.
//!
//! **Contract.** [`Frames`] lists the frames of a [`kvs_mkv::Fragment`] in the fragment's order, which is decode order, with what a
//! consumer has to know of each. [`Frame::data`] returns a frame's bytes: content encodings undone, H.264 and H.265 as an
//! Annex B byte stream with the parameter sets in front of key frames, AAC with an ADTS header, or all of it as stored, as
//! [`FrameOptions`] say. Bytes that need no change are borrowed. Input is never trusted: whatever the bytes are, the result
//! is data of at most the size that the caller allows, or an error that names track, frame and offset.
//!
//! The crate does no I/O, needs no async runtime and has no `unsafe` code.
//!
//! ```
//! use kvs_frames::{FrameOptions, Frames};
//!
//! # fn print(fragment: &kvs_mkv::Fragment) -> Result<(), kvs_frames::FrameError> {
//! let frames = Frames::new(fragment, &FrameOptions::default());
//! for frame in frames.iter() {
//!     let data = frame.data(16 << 20)?;
//!     println!("{} {} {} {} bytes", frame.pts_ns, frame.codec(), frame.format(), data.len());
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod adts;
mod annex_b;
mod codec;
mod config_id;
mod encoding;
mod error;
mod format;
mod frame;
mod nal;
mod parameter_sets;
mod sample;
mod selection;

pub use codec::Codec;
pub use config_id::ConfigId;
pub use error::{FrameError, Problem};
pub use format::{AudioFormat, BadFormat, FrameFormat};
pub use frame::{Frame, FrameOptions, Frames};
pub use sample::{BadSample, FrameSample, SampleState};
pub use selection::{BadSelector, TrackSelection, TrackSelector};
