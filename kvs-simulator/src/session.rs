//! The bodies of data operations: what a session sends and receives once its request has been accepted.

mod archive;
mod faulty_body;
mod get_media;
mod lingering;
mod put_media;
mod replace;

pub(crate) use archive::ArchiveSession;
pub(crate) use faulty_body::with_faults;
pub(crate) use get_media::GetMediaSession;
pub(crate) use lingering::linger;
pub(crate) use put_media::{PutMediaSession, TimecodeType};
