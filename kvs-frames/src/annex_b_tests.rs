#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;
use crate::nal::units_of_byte_stream;

const SPS: &[u8] = &[0x67, 1, 2];
const PPS: &[u8] = &[0x68, 3];
const AUD: &[u8] = &[0x09, 0xF0];
const IDR: &[u8] = &[0x65, 7, 7];

fn sets(length_size: Option<usize>) -> ParameterSets {
    ParameterSets { length_size, units: vec![SPS.to_vec(), PPS.to_vec()] }
}

/// NAL units after lengths of four bytes.
fn with_lengths(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&(unit.len() as u32).to_be_bytes()[..], unit].concat()).collect()
}

fn byte_stream(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&START_CODE[..], unit].concat()).collect()
}

fn convert(data: &[u8], sets: &ParameterSets, key: bool) -> Result<Vec<u8>, Problem> {
    to_annex_b(Cow::Borrowed(data), sets, NalCodec::H264, key, 1 << 20).map(Cow::into_owned)
}

#[test]
fn lengths_become_start_codes_and_key_frames_get_parameter_sets() {
    let four = sets(Some(4));
    let frame = with_lengths(&[AUD, IDR, IDR]);
    assert_eq!(convert(&frame, &four, false), Ok(byte_stream(&[AUD, IDR, IDR])));
    // Behind the delimiter, which has to be first.
    assert_eq!(convert(&frame, &four, true), Ok(byte_stream(&[AUD, SPS, PPS, IDR, IDR])));
    assert_eq!(convert(&with_lengths(&[IDR]), &four, true), Ok(byte_stream(&[SPS, PPS, IDR])));
    let in_band = with_lengths(&[SPS, PPS, IDR]);
    assert_eq!(convert(&in_band, &four, true), Ok(byte_stream(&[SPS, PPS, IDR])));
    // One of the two is not enough.
    assert_eq!(convert(&with_lengths(&[SPS, IDR]), &four, true), Ok(byte_stream(&[SPS, PPS, SPS, IDR])));
    assert_eq!(convert(&[0, 3, 0x65, 7, 7], &sets(Some(2)), false), Ok(byte_stream(&[IDR])));
    assert_eq!(convert(&[3, 0x65, 7, 7, 0], &sets(Some(1)), false), Ok(byte_stream(&[IDR])));
    assert_eq!(convert(&[], &four, false), Ok(Vec::new()));
}

#[test]
fn a_byte_stream_stays_one() {
    let stream = [&byte_stream(&[AUD, SPS])[..], &[0, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 7, 7]].concat();
    for sets in [sets(None), sets(Some(4)), sets(Some(2)), ParameterSets::default()] {
        for key in [false, true] {
            let same = to_annex_b(Cow::Borrowed(&stream), &sets, NalCodec::H264, key, 1 << 20);
            assert!(matches!(same, Ok(Cow::Borrowed(same)) if same == stream), "{sets:?}");
        }
    }
    let key_frame = byte_stream(&[AUD, IDR]);
    assert_eq!(convert(&key_frame, &sets(Some(4)), true), Ok(byte_stream(&[AUD, SPS, PPS, IDR])));
    assert_eq!(convert(&key_frame, &sets(None), true), Ok(byte_stream(&[AUD, SPS, PPS, IDR])));
}

/// 0 0 1 44 is a length of 300 bytes where there is an avcC, and a start code where there is none.
#[test]
fn a_length_that_looks_like_a_start_code_is_a_length() {
    let unit = [&[0x41][..], &[9; 299]].concat();
    let frame = with_lengths(&[&unit]);
    assert_eq!(frame[..4], [0, 0, 1, 44]);
    assert_eq!(convert(&frame, &sets(Some(4)), false), Ok(byte_stream(&[&unit])));
    let problem = Problem::TruncatedUnit { offset: 0, needed_bytes: 304, available_bytes: 303 };
    assert_eq!(convert(&frame[..303], &sets(Some(4)), false), Err(problem));
    assert_eq!(convert(&frame, &sets(None), false), Ok(frame));
}

#[test]
fn a_length_that_is_cut_or_too_large_is_an_error_with_its_offset() {
    let frame = with_lengths(&[AUD, IDR]);
    for (cut, offset, needed_bytes) in [(6, 0, 0), (7, 6, 4), (9, 6, 4), (10, 6, 7), (12, 6, 7)] {
        let result = convert(&frame[..cut], &sets(Some(4)), false);
        if needed_bytes == 0 {
            assert_eq!(result, Ok(byte_stream(&[AUD])));
        } else {
            let available_bytes = cut - offset;
            assert_eq!(result, Err(Problem::TruncatedUnit { offset, needed_bytes, available_bytes }), "{cut}");
        }
    }
    let huge = [0xFF; 9];
    assert_eq!(
        convert(&huge, &ParameterSets::default(), true),
        Err(Problem::TruncatedUnit { offset: 0, needed_bytes: 4 + u64::from(u32::MAX), available_bytes: 9 })
    );
}

#[test]
fn the_result_is_bounded() {
    let frame = [1, 0x41].repeat(1000);
    let convert = |limit| to_annex_b(Cow::Borrowed(&frame), &sets(Some(1)), NalCodec::H264, false, limit);
    assert_eq!(convert(5000).unwrap().len(), 5000);
    assert_eq!(convert(4999), Err(Problem::TooLarge { limit_bytes: 4999 }));
}

#[test]
fn h265_needs_a_vps_too() {
    let (vps, sps, pps, idr) = (&[0x40, 1, 1][..], &[0x42, 1, 1][..], &[0x44, 1, 1][..], &[0x26, 1, 1][..]);
    let sets = ParameterSets { length_size: Some(4), units: vec![vps.to_vec(), sps.to_vec(), pps.to_vec()] };
    let convert = |units: &[&[u8]]| {
        to_annex_b(Cow::Owned(with_lengths(units)), &sets, NalCodec::H265, true, 1 << 20).map(Cow::into_owned)
    };
    assert_eq!(convert(&[idr]), Ok(byte_stream(&[vps, sps, pps, idr])));
    assert_eq!(convert(&[vps, sps, pps, idr]), Ok(byte_stream(&[vps, sps, pps, idr])));
    assert_eq!(convert(&[sps, pps, idr]), Ok(byte_stream(&[vps, sps, pps, sps, pps, idr])));
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(data: Vec<u8>, length_size in proptest::option::of(1_usize..=4), key: bool, four: bool) {
        let data = if four { [&START_CODE[..], &data].concat() } else { data };
        for codec in [NalCodec::H264, NalCodec::H265] {
            if let Ok(out) = to_annex_b(Cow::Borrowed(&data), &sets(length_size), codec, key, 4096) {
                prop_assert!(out.len() <= data.len().max(4096));
            }
        }
    }

    /// Reading a byte stream returns the units that were written.
    #[test]
    fn units_are_found_again(units in proptest::collection::vec(proptest::collection::vec(4_u8.., 1..40), 0..8)) {
        let slices: Vec<&[u8]> = units.iter().map(Vec::as_slice).collect();
        let stream = byte_stream(&slices);
        prop_assert_eq!(units_of_byte_stream(&stream).collect::<Vec<_>>(), slices.clone());
        prop_assert_eq!(convert(&with_lengths(&slices), &sets(Some(4)), false), Ok(stream));
    }
}
