#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn a_value_is_overwritten_where_the_length_matches() {
    let writer = kvs_mkv::ChunkWriter::new("t");
    let tag = kvs_mkv::AwsTag::FragmentNumber;
    let bytes = |number: &str| [b"\xFF\x00".to_vec(), writer.tags(&[(tag.name(), number)]), vec![0; 3]].concat();
    let mut twice = [bytes("123"), bytes("@@@"), bytes("4567")].concat();
    overwrite(&mut twice, tag, "890");
    assert_eq!(twice, [bytes("890"), bytes("890"), bytes("4567")].concat());
    let mut cut = bytes("123");
    cut.truncate(cut.len() - 4);
    let before = cut.clone();
    overwrite(&mut cut, tag, "890");
    assert_eq!(cut, before);
}
