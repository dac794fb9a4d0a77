//! Bytes of a test's own in the place of a fragment's chunk.

use bytes::Bytes;

use crate::fault::FaultKind;
use crate::stream::Held;

/// What comes instead of the fragment's chunk; `None`: the chunk itself.
pub(crate) fn replacement(fault: Option<&FaultKind>, held: &Held) -> Option<Bytes> {
    let Some(FaultKind::Replace { fragment, bytes }) = fault else { return None };
    if fragment != held.number.as_str() {
        return None;
    }
    let mut bytes = bytes.clone();
    put_in(&mut bytes, kvs_mkv::AwsTag::FragmentNumber, held.number.as_str());
    put_in(&mut bytes, kvs_mkv::AwsTag::ContinuationToken, &held.token);
    Some(Bytes::from(bytes))
}

/// Overwrites the value of a tag, wherever it is as long as `value`. By its bytes: what they are in may be no EBML.
fn put_in(bytes: &mut [u8], tag: kvs_mkv::AwsTag, value: &str) {
    // A SimpleTag's name, then TagString (0x4487) with a size field of one byte or, rarely, none that is known here.
    let Ok(length) = u8::try_from(value.len()) else { return };
    let before = [tag.name().as_bytes(), &[0x44, 0x87, 0x80 | length]].concat();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(before.len()).position(|window| window == before) {
        at += found + before.len();
        let Some(old) = bytes.get_mut(at..at + value.len()) else { return };
        old.copy_from_slice(value.as_bytes());
    }
}

#[cfg(test)]
#[path = "replace_tests.rs"]
mod tests;
