#![allow(clippy::unwrap_used)]

use super::*;
use crate::ChunkWriter;

#[test]
fn a_chunk_is_found_at_its_header_and_nowhere_else() {
    let head = ChunkWriter::new("tests").head(&[]);
    // The four bytes alone, and with a header that is none.
    let media =
        [&[9; 50][..], &id::EBML.to_be_bytes(), &[0; 20], &id::EBML.to_be_bytes(), &[0x83, 0xEC, 0x81, 0]].concat();
    let bytes = [&head, &media[..], &head, &media].concat();
    let second = head.len() + media.len();
    assert_eq!((find_chunk(&bytes, 0), find_chunk(&bytes, 1)), (Some(0), Some(second)));
    assert_eq!((find_chunk(&bytes, second + 1), find_chunk(&bytes, bytes.len() + 1)), (None, None));
    // Only a complete header is one.
    let whole = head.windows(4).position(|four| four == id::SEGMENT.to_be_bytes()).unwrap();
    assert_eq!(
        (find_chunk(&bytes[..second + whole], 1), find_chunk(&bytes[..second + whole - 1], 1)),
        (Some(second), None)
    );
    assert!(whole <= CHUNK_START_MAX_BYTES);
}
