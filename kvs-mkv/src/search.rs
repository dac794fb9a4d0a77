//! Looking for the next chunk in bytes whose elements cannot be followed.

use crate::ebml::{self, Children};
use crate::elements::id;

/// The largest content of an EBML header that is recognized. The service's has about 35 bytes.
const CONTENT_MAX_BYTES: usize = 256;

/// The most bytes of which [`find_chunk`] recognizes a chunk. Of bytes that arrive in pieces, this many have to be looked at
/// again together with the next piece.
pub const CHUNK_START_MAX_BYTES: usize = ebml::HEADER_MAX_BYTES + CONTENT_MAX_BYTES;

/// Returns the offset of the first chunk at or after `from`, recognized by a complete EBML header with a DocType.
///
/// This is a guess, because media may contain any bytes: of use to show what a broken chunk was, and not to split a stream.
pub fn find_chunk(bytes: &[u8], from: usize) -> Option<usize> {
    let magic = id::EBML.to_be_bytes();
    let rest = bytes.get(from..)?;
    let candidates = rest.windows(magic.len()).enumerate().filter(|(_, window)| *window == magic);
    let mut starts = candidates.filter(|(at, _)| rest.get(*at..).is_some_and(is_chunk_start));
    starts.next().map(|(at, _)| from + at)
}

fn is_chunk_start(bytes: &[u8]) -> bool {
    let Ok(Some(header)) = ebml::read_header(bytes, 0) else { return false };
    let Some(size) = header.size_bytes.and_then(|size| usize::try_from(size).ok()) else { return false };
    if size > CONTENT_MAX_BYTES {
        return false;
    }
    let Some(content) = bytes.get(header.length_bytes..header.length_bytes + size) else { return false };
    let mut children = Children::new(content, header.id, 0);
    while let Ok(Some(child)) = children.next() {
        if child.id == id::DOC_TYPE {
            return true;
        }
    }
    false
}

#[cfg(test)]
#[path = "search_tests.rs"]
mod tests;
