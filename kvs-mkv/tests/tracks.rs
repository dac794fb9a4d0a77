//! What a decoder needs, read from real recordings and from odd media. Without `KVS_RECORDINGS`, the tests print that they
//! are skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::PathBuf;

use common::split;
use kvs_mkv::{CompressionAlgorithm, ContentTransform, Event, Limits, Splitter, Track};

fn file(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there are no files to read");
        return None;
    };
    let path = PathBuf::from(folder).join(name);
    Some(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// Returns the tracks of an odd file.
fn odd(name: &str) -> Option<Vec<Track>> {
    let bytes = file(&format!("../odd/{name}.mkv"))?;
    Some(Splitter::read_document(&bytes, Limits::default()).unwrap().tracks.to_vec())
}

#[test]
fn amazon_connects_tag_wins_over_its_codec_id() {
    let Some(bytes) = file("connect_shape_3frag.mkv") else { return };
    for event in split(&bytes).unwrap().0 {
        let Event::Fragment(fragment) = event else { panic!("{event:?}") };
        assert_eq!(fragment.tracks.len(), 2);
        for track in &*fragment.tracks {
            assert_eq!(track.codec_id, "A_AAC");
            assert_eq!(fragment.media_type(track).as_deref(), Some("audio/L16;rate=8000;channels=1;"));
        }
    }
    let bytes = file("output_get_media.mkv").unwrap();
    let Event::Fragment(fragment) = split(&bytes).unwrap().0.remove(0) else { panic!() };
    assert_eq!(fragment.media_type(&fragment.tracks[0]).as_deref(), Some("video/H264"));
}

#[test]
fn odd_media_say_what_is_odd_about_them() {
    let Some(pcm) = odd("pcm-s24le") else { return };
    assert_eq!(pcm[0].audio.unwrap().bit_depth, Some(24));
    let opus = odd("opus-only").unwrap();
    assert_eq!((opus[0].codec_delay_ns, opus[0].seek_pre_roll_ns), (Some(6_500_000), Some(80_000_000)));
    let wide = odd("h264-anamorphic").unwrap()[0].video.unwrap();
    assert_ne!(wide.display_width.unwrap(), wide.width);
    let compression = |track: &Track| match &track.content_encodings[..] {
        [one] if one.concerns_frames() => match &one.transform {
            ContentTransform::Compression { algorithm, settings } => (*algorithm, settings.len()),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(compression(&odd("zlib-video").unwrap()[0]), (CompressionAlgorithm::Zlib, 0));
    let (algorithm, settings) = compression(&odd("hand-headerstrip-aac").unwrap()[0]);
    assert!(algorithm == CompressionAlgorithm::HeaderStripping && settings > 0);
}
