//! Reads back what connectors have written: for the commands that show, check or export it.
//!
//! **Contract.** A value is read in whichever of our shapes and framings it was written, by this version or an earlier one; one
//! that is none of these is said to be so, and never guessed.

mod decode;
mod described;
mod headers;
mod media;
mod payload;

pub use decode::{DecodeError, Decoded, Decoder, Fragment, Kind, Parts};
pub use described::misdescribed;
pub use headers::header_text;
pub use media::read_fragment;
pub use payload::{PayloadError, Payloads};
