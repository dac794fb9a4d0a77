#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::ebml::read_header;

/// Returns what is left of the bytes without these ranges, where the elements at `masters` have children.
fn without(bytes: &[u8], masters: &[usize], removed: &[(usize, usize)]) -> Vec<u8> {
    let mut cuts = Cuts::default();
    for &at in masters {
        cuts.enter(at, read_header(&bytes[at..], 0).unwrap().unwrap());
    }
    for &(start, end) in removed {
        cuts.remove(start..end);
    }
    cuts.apply(bytes, 5).to_vec()
}

/// A BlockGroup of seven bytes: a BlockDuration of one, a Void of two.
const GROUP: [u8; 9] = [0xA0, 0x87, 0x9B, 0x81, 1, 0xEC, 0x82, 0, 0];

#[test]
fn nothing_removed_is_the_same() {
    assert_eq!(without(&GROUP, &[0], &[]), GROUP);
}

#[test]
fn sizes_are_corrected_in_fields_of_the_same_length() {
    assert_eq!(without(&GROUP, &[0], &[(2, 5)]), [0xA0, 0x84, 0xEC, 0x82, 0, 0]);
    let long = [&[0xA0, 0x10, 0, 0, 7][..], &GROUP[2..]].concat();
    assert_eq!(without(&long, &[0], &[(8, 12)]), [0xA0, 0x10, 0, 0, 3, 0x9B, 0x81, 1]);
    let unknown = [&[0xA0, 0xFF][..], &GROUP[2..]].concat();
    assert_eq!(without(&unknown, &[0], &[(2, 5)]), [0xA0, 0xFF, 0xEC, 0x82, 0, 0]);
}

#[test]
fn false_sizes_end_between_the_same_elements() {
    let with_size = |size: u8| [&[0xA0, 0x80 | size][..], &GROUP[2..]].concat();
    // The size covers the first child only.
    assert_eq!(without(&with_size(3), &[0], &[(5, 9)])[..2], [0xA0, 0x83]);
    assert_eq!(without(&with_size(3), &[0], &[(2, 5)])[..2], [0xA0, 0x80]);
    // And more than there is.
    assert_eq!(without(&with_size(50), &[0], &[(2, 5)])[..2], [0xA0, 0x80 | 47]);
}

#[test]
fn removed_ranges_may_contain_each_other_and_come_in_any_order() {
    assert_eq!(without(&GROUP, &[0, 5], &[(7, 9), (5, 9), (2, 5)]), [0xA0, 0x80]);
    assert_eq!(without(&GROUP, &[0], &[(0, 9), (2, 5)]), [0; 0]);
}

#[test]
fn a_checksum_goes_only_if_something_else_of_its_element_does() {
    let bytes = [&[0xBF, 0x81, 7][..], &GROUP, &[0xBF, 0x81, 8]].concat();
    let master = |cuts: &mut Cuts, end| {
        let master = cuts.enter(3, read_header(&bytes[3..], 0).unwrap().unwrap());
        cuts.leave(master, end);
        cuts.checksum(master, 0..3);
    };
    for (removed, end, gone) in [(5..8, 12, true), (12..15, 12, false), (12..15, 15, true)] {
        let mut cuts = Cuts::default();
        master(&mut cuts, end);
        cuts.remove(removed.clone());
        let left = bytes.len() - 3 - if gone { 3 } else { 0 };
        assert_eq!(cuts.apply(&bytes, 0).len(), left, "{removed:?} {end}");
    }
}
