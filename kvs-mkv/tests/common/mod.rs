//! Chunks for the tests, written with the crate's writer or element by element.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kvs_mkv::{
    ChunkWriter, Completion, End, Error, Event, Fragment, FrameData, LeadingTags, Limits, Splitter, Timestamp, Track,
    TrackKind, TrailingTags, VideoSettings,
};

pub const NUMBER: &str = "91343852333181432392682062607743920146159169392";

/// Returns an element with a size field of this length, which says "unknown" unless `known`.
pub fn sized(id: u32, size_length: usize, content: &[u8], known: bool) -> Vec<u8> {
    let skipped = id.leading_zeros() as usize / 8;
    let mut out = id.to_be_bytes()[skipped..].to_vec();
    let value = if known { content.len() as u64 } else { (1 << (7 * size_length)) - 1 };
    out.extend(&(value | 1 << (7 * size_length)).to_be_bytes()[8 - size_length..]);
    out.extend(content);
    out
}

pub fn element(id: u32, content: &[u8]) -> Vec<u8> {
    sized(id, 8, content, true)
}

pub fn video_track() -> Track {
    let mut track = Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC");
    track.codec_private = Some(vec![1, 66, 0, 30]);
    track.name = Some("video".to_owned());
    track.video = Some(VideoSettings::new(640, 360));
    track
}

pub fn leading(number: &str) -> LeadingTags {
    LeadingTags {
        number: number.parse().unwrap(),
        server_timestamp: Timestamp::from_millis(1_511_852_109_126),
        producer_timestamp: Timestamp::from_millis(1_511_852_108_513),
    }
}

pub fn trailing(token: &str) -> TrailingTags {
    TrailingTags { millis_behind_now: 15_858, continuation_token: token.to_owned() }
}

pub fn writer() -> ChunkWriter {
    ChunkWriter::new("kvs-mkv tests")
}

pub fn head() -> Vec<u8> {
    writer().head(&[video_track()])
}

/// Returns head and leading AWS tags, which precede a cluster.
pub fn start(number: &str) -> Vec<u8> {
    [head(), writer().leading_tags(&leading(number))].concat()
}

pub fn end(token: &str) -> Vec<u8> {
    writer().trailing_tags(&trailing(token))
}

/// Returns a chunk of `frames` frames of `size` bytes.
pub fn chunk(number: &str, frames: usize, size: usize) -> Vec<u8> {
    let data: Vec<u8> = (0..size).map(|index| index as u8).collect();
    let frames: Vec<_> = (0..frames)
        .map(|index| FrameData { track: 1, timestamp_ns: index as i64 * 33_000_000, key: index == 0, data: &data })
        .collect();
    let tags = [("place", "door"), ("place", "gate"), ("who", "nobody")];
    writer().chunk(&[video_track()], &tags, &leading(number), 0, &frames, &trailing(number))
}

/// Splits the bytes in pieces that end at `cuts`, then ends the input.
pub fn split_at(bytes: &[u8], cuts: &[usize], completion: Completion) -> Result<(Vec<Event>, End), Error> {
    let mut splitter = Splitter::new(Limits::default(), completion).with_headroom(16);
    let mut events = Vec::new();
    let mut from = 0;
    for &cut in cuts.iter().chain([&bytes.len()]) {
        let cut = cut.clamp(from, bytes.len());
        let mut piece = &bytes[from..cut];
        while let Some(event) = splitter.push(&mut piece)? {
            events.push(event);
        }
        assert!(piece.is_empty());
        from = cut;
    }
    let end = splitter.finish()?;
    Ok((events, end))
}

pub fn split(bytes: &[u8]) -> Result<(Vec<Event>, End), Error> {
    split_at(bytes, &[], Completion::Token)
}

/// Returns the fragment that is the only event of the bytes.
pub fn only_fragment(bytes: &[u8]) -> Fragment {
    let (mut events, end) = split(bytes).unwrap();
    assert_eq!(end, End::Clean);
    assert_eq!(events.len(), 1, "{events:?}");
    match events.remove(0) {
        Event::Fragment(fragment) => fragment,
        other => panic!("{other:?}"),
    }
}
