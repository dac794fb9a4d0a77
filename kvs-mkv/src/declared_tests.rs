#![allow(clippy::unwrap_used)]

use super::*;
use crate::limits::Limits;
use crate::splitter::Splitter;
use crate::track::{AudioSettings, Track, TrackKind};
use crate::writer::{ChunkWriter, FrameData};

#[test]
fn a_track_is_declared_as_what_it_has() {
    let writer = ChunkWriter::new("test");
    let mut declared = Track::new(1, TrackKind::Audio, "A_AAC");
    declared.name = Some("AUDIO_FROM_CUSTOMER".to_owned());
    declared.codec_private = Some(vec![0x15, 0x88]);
    declared.audio = Some(AudioSettings::new(44_100.0, 2));
    let other = Track::new(2, TrackKind::Audio, "A_AAC");
    let mut bytes = writer.head(&[declared, other.clone()]);
    bytes.extend(writer.tags(&[("ContactId", "x")]));
    bytes.extend(writer.cluster(0, &[FrameData { track: 1, timestamp_ns: 0, key: true, data: b"abcd" }]));
    let mut segment = FileSegment::read_all(&bytes, Limits::default()).unwrap().remove(0);
    let before =
        Splitter::read_document(&[segment.head.as_slice(), &segment.clusters[0].bytes].concat(), Limits::default());
    segment.declare_samples(1, Samples { rate_hz: 8_000, channels: 1 }).unwrap();

    let document = [segment.head.as_slice(), &segment.clusters[0].bytes].concat();
    let read = Splitter::read_document(&document, Limits::default()).unwrap();
    let track = &read.tracks[0];
    assert_eq!((track.number, track.codec_id.as_str(), track.codec_private.as_deref()), (1, "A_PCM/INT/LIT", None));
    assert_eq!(track.name.as_deref(), Some("AUDIO_FROM_CUSTOMER"));
    let audio = track.audio.as_ref().unwrap();
    assert_eq!((audio.sampling_frequency_hz, audio.channels, audio.bit_depth), (8_000.0, 1, Some(16)));
    assert_eq!(read.tracks[1], before.unwrap().tracks[1]);
    assert_eq!(read.tags().map(|tag| tag.name.into_owned()).collect::<Vec<_>>(), ["ContactId"]);
    assert_eq!(read.frames.len(), 1);

    let unchanged = segment.clone();
    segment.declare_samples(7, Samples { rate_hz: 1, channels: 1 }).unwrap();
    assert_eq!(segment, unchanged);
    segment.head.truncate(40);
    assert!(segment.declare_samples(1, Samples { rate_hz: 1, channels: 1 }).is_err());
}
