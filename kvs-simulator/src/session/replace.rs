//! Bytes that a test sends in place of a fragment's chunk.

use bytes::Bytes;

use crate::fault::FaultKind;
use crate::model::StoredFragment;

/// Returns the bytes to send in place of a fragment's chunk, or `None` to send the chunk itself.
pub(crate) fn replacement(fault: Option<&FaultKind>, stored: &StoredFragment) -> Option<Bytes> {
    let Some(FaultKind::Replace { fragment, bytes }) = fault else { return None };
    if fragment != stored.number.as_str() {
        return None;
    }
    let mut bytes = bytes.clone();
    overwrite(&mut bytes, kvs_mkv::AwsTag::FragmentNumber, stored.number.as_str());
    overwrite(&mut bytes, kvs_mkv::AwsTag::ContinuationToken, &stored.token);
    Some(Bytes::from(bytes))
}

/// Overwrites every value of a tag that is as long as `value`. Searches for bytes, because the test's bytes may not be
/// valid EBML.
fn overwrite(bytes: &mut [u8], tag: kvs_mkv::AwsTag, value: &str) {
    // A SimpleTag's name is followed by TagString (0x4487) with a size field of one byte.
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
