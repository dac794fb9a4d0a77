//! The simulator's data model: streams, their fragments, and the files that are played into them. It uses no HTTP, and
//! no disk except for the files to be played.

pub(crate) mod arn;
mod fragment;
mod media;
pub(crate) mod number;
mod playback;
mod source;
mod stream;

pub(crate) use fragment::{MillisBehindNow, StoredFragment};
pub use media::SourceError;
pub(crate) use media::{Media, writer};
pub(crate) use playback::Playback;
pub use source::{Pace, Repeat, StreamSource};
pub(crate) use stream::{Arrival, Identity, Next, Settings, Snapshot, Storage, Stream};
