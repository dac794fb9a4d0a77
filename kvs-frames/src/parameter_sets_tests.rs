#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

const AVCC: [u8; 16] = [1, 0x64, 0, 0x1E, 0xFF, 0xE1, 0, 3, 0x67, 1, 2, 1, 0, 2, 0x68, 3];

fn hvcc(arrays: &[(u8, &[&[u8]])]) -> Vec<u8> {
    let mut config = [&[1][..], &[0; 20], &[0xFD, arrays.len() as u8]].concat();
    for (kind, units) in arrays {
        config.extend([*kind, 0, units.len() as u8]);
        units.iter().for_each(|unit| config.extend([&[0, unit.len() as u8][..], unit].concat()));
    }
    config
}

#[test]
fn an_avcc_has_length_size_and_parameter_sets() {
    let sets = ParameterSets::read(&AVCC, NalCodec::H264).unwrap();
    assert_eq!(sets, ParameterSets { length_size: Some(4), units: vec![vec![0x67, 1, 2], vec![0x68, 3]] });
    // Extensions of high profiles may follow.
    let longer = [&AVCC[..], &[0xFD, 0xF8, 0xF8, 0]].concat();
    assert_eq!(ParameterSets::read(&longer, NalCodec::H264), Ok(sets));
}

#[test]
fn an_hvcc_has_vps_sps_pps_and_sei() {
    let (vps, sps, pps) = (&[0x40, 1][..], &[0x42, 1][..], &[0x44, 1][..]);
    let (sei, suffix) = (&[0x4E, 1][..], &[0x50, 1][..]);
    let config = hvcc(&[(0x20, &[vps]), (0x21, &[sps]), (0x22, &[pps, pps]), (0x27, &[sei]), (0x28, &[suffix, &[]])]);
    let sets = ParameterSets::read(&config, NalCodec::H265).unwrap();
    assert_eq!((sets.length_size, sets.units), (Some(2), [vps, sps, pps, pps, sei].map(<[u8]>::to_vec).to_vec()));
}

#[test]
fn a_byte_stream_is_taken_too() {
    let config = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 9];
    let sets = ParameterSets::read(&config, NalCodec::H264).unwrap();
    assert_eq!(sets, ParameterSets { length_size: None, units: vec![vec![0x67, 1, 2], vec![0x68, 3]] });
    assert_eq!(ParameterSets::read(&[], NalCodec::H264), Ok(ParameterSets::default()));
}

#[test]
fn a_configuration_that_is_cut_anywhere_is_an_error() {
    let hvcc = hvcc(&[(0x20, &[&[0x40, 1]]), (0x21, &[&[0x42, 1]])]);
    for (config, codec) in [(&AVCC[..], NalCodec::H264), (&hvcc, NalCodec::H265)] {
        assert!(ParameterSets::read(config, codec).is_ok());
        for end in 1..config.len() {
            let error = ParameterSets::read(&config[..end], codec);
            assert!(matches!(error, Err(Problem::BadConfig { offset, .. }) if offset <= end), "{end}: {error:?}");
        }
    }
    let other = ParameterSets::read(&[2, 0, 0, 0], NalCodec::H264).unwrap_err().to_string();
    assert!(other.contains("avcC") && other.contains("byte 0"), "{other}");
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(config: Vec<u8>, version in 0_u8..2) {
        for codec in [NalCodec::H264, NalCodec::H265] {
            let _ = ParameterSets::read(&config, codec);
            if let Ok(sets) = ParameterSets::read(&[&[version][..], &config].concat(), codec) {
                prop_assert!(sets.units.iter().map(Vec::len).sum::<usize>() <= config.len());
            }
        }
    }
}
