#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

fn header(config: &[u8], data: &[u8]) -> Result<Vec<u8>, Problem> {
    Adts::read(config)?.with_header(Cow::Borrowed(data), 1 << 20).map(Cow::into_owned)
}

/// The headers are those that FFmpeg's ADTS muxer writes for these configurations; tests/decoding.rs has real media.
#[test]
fn a_header_says_profile_frequency_channels_and_length() {
    // AAC-LC, 44.1 kHz, stereo.
    assert_eq!(header(&[0x12, 0x10], &[1, 2, 3]).unwrap(), [0xFF, 0xF1, 0x50, 0x80, 0x01, 0x5F, 0xFC, 1, 2, 3]);
    // AAC-LC, 8 kHz, mono.
    assert_eq!(header(&[0x15, 0x88], &[]).unwrap(), [0xFF, 0xF1, 0x6C, 0x40, 0x00, 0xFF, 0xFC]);
}

#[test]
fn spectral_band_replication_has_the_header_of_its_core() {
    // Type 5, 24 kHz, stereo, put out at 48 kHz, core of type 2.
    let config = [0b0010_1011, 0b0001_0001, 0b1000_1000, 0];
    assert_eq!(Adts::read(&config), Ok(Adts { profile: 1, frequency_index: 6, channels: 2 }));
}

#[test]
fn a_frequency_in_hertz_has_to_have_an_index() {
    let config = |hz: u32| {
        // Type 2, the escape for a frequency in hertz.
        let bits = (0x2F_u64 << 55) | u64::from(hz) << 31 | 0b0001 << 27;
        bits.to_be_bytes()
    };
    assert_eq!(Adts::read(&config(16_000)), Ok(Adts { profile: 1, frequency_index: 8, channels: 1 }));
    assert!(matches!(Adts::read(&config(16_001)), Err(Problem::NoAdts { .. })));
}

#[test]
fn what_adts_cannot_express_is_refused() {
    // An escaped object type, no channel configuration, frames of 960 samples, a reserved frequency.
    for config in [[0xFA, 0x10], [0x12, 0x00], [0x12, 0x14], [0x16, 0x90]] {
        assert!(matches!(Adts::read(&config), Err(Problem::NoAdts { .. })), "{config:?}");
    }
    assert!(matches!(Adts::read(&[0x12]), Err(Problem::BadConfig { offset: 1, .. })));
    assert_eq!(header(&[0x12, 0x10], &[0; 8184]).unwrap().len(), 8191);
    assert!(matches!(header(&[0x12, 0x10], &[0; 8185]), Err(Problem::NoAdts { .. })));
    let bounded = Adts::read(&[0x12, 0x10]).unwrap().with_header(Cow::Borrowed(&[0; 10]), 16);
    assert_eq!(bounded, Err(Problem::TooLarge { limit_bytes: 16 }));
}

#[test]
fn a_frame_that_has_a_header_gets_no_other() {
    let framed = header(&[0x12, 0x10], &[1, 2, 3]).unwrap();
    assert_eq!(header(&[0x12, 0x10], &framed), Ok(framed.clone()));
    // One that only begins like a header is data.
    assert_eq!(header(&[0x12, 0x10], &framed[..9]).unwrap().len(), 16);
}

proptest! {
    #[test]
    fn no_bytes_are_a_panic(config: Vec<u8>, data: Vec<u8>) {
        if let Ok(framed) = header(&config, &data) {
            prop_assert!(has_header(&framed));
        }
    }
}
