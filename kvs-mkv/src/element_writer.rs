//! EBML elements, written: ids, sizes, and the values that Matroska stores.

use crate::ebml;

pub(crate) fn element(out: &mut Vec<u8>, id: u32, content: &[u8]) {
    write_id(out, id);
    write_vint(out, content.len() as u64);
    out.extend(content);
}

pub(crate) fn unknown_size(out: &mut Vec<u8>, id: u32) {
    write_id(out, id);
    out.extend([0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
}

pub(crate) fn uint(out: &mut Vec<u8>, id: u32, value: u64) {
    let bytes = value.to_be_bytes();
    let skipped = (value.leading_zeros() as usize / 8).min(7);
    element(out, id, &bytes[skipped..]);
}

pub(crate) fn write_id(out: &mut Vec<u8>, id: u32) {
    let skipped = id.leading_zeros() as usize / 8;
    out.extend(&id.to_be_bytes()[skipped..]);
}

/// Writes the shortest form, except the one whose value would mean "unknown".
pub(crate) fn write_vint(out: &mut Vec<u8>, value: u64) {
    let length = (1..8).find(|&length| value < ebml::vint_max(length)).unwrap_or(8);
    let marked = value | 1_u64 << (7 * length);
    out.extend(&marked.to_be_bytes()[8 - length..]);
}
