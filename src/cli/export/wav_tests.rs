#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use super::*;

#[test]
fn media_types_say_what_samples_are() {
    let of = Samples::of_media_type;
    assert_eq!(of("audio/L16;rate=8000;channels=1;"), Some(Samples { rate_hz: 8_000, channels: 1 }));
    assert_eq!(of("audio/l16; rate=16000; channels=2"), Some(Samples { rate_hz: 16_000, channels: 2 }));
    assert_eq!(of("audio/L16;rate=8000"), Some(Samples { rate_hz: 8_000, channels: 1 }));
    for other in
        ["audio/AAC", "audio/L16", "audio/L16;rate=0", "audio/L16;rate=x", "audio/L16;rate=8000;channels=0", ""]
    {
        assert_eq!(of(other), None, "{other}");
    }
}

#[test]
fn samples_are_where_their_time_is() {
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, Samples { rate_hz: 1_000, channels: 1 }).unwrap();
    writer.write(0, &[1, 0, 2, 0]).unwrap();
    // Three milliseconds late is no silence, twenty are; half a sample is left out.
    writer.write(5_000_000, &[3, 0]).unwrap();
    writer.write(23_000_000, &[4, 0, 9]).unwrap();
    writer.finish().unwrap();
    let file = file.into_inner();
    let samples: Vec<i16> = file[44..].chunks(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    assert_eq!(samples, [&[1, 2, 3][..], &[0; 20], &[4]].concat());
    assert_eq!(file[40..44], 48_u32.to_le_bytes());
    assert_eq!((&file[..4], &file[4..8]), (&b"RIFF"[..], &84_u32.to_le_bytes()[..]));
}
