//! Media of the two shapes that matter most: video of half a megabyte, and Amazon Connect's 34 KB of audio.

use kvs_mkv::{
    AudioSettings, ChunkWriter, FrameData, LeadingTags, Timestamp, Track, TrackKind, TrailingTags, VideoSettings,
};

pub const VIDEO_FRAMES: usize = 60;
pub const CONNECT_FRAMES: usize = 32;

fn number(index: usize) -> String {
    format!("9134385233318143239268206260774392014615{index:07}")
}

fn leading(index: usize) -> LeadingTags {
    let millis = 1_511_852_109_000 + index as i64 * 2_000;
    LeadingTags {
        number: number(index).parse().unwrap(),
        server_timestamp: Timestamp::from_millis(millis),
        producer_timestamp: Timestamp::from_millis(millis - 600),
    }
}

fn trailing(index: usize) -> TrailingTags {
    TrailingTags { millis_behind_now: 15_858, continuation_token: number(index) }
}

/// Returns noise, which no compression can shrink.
fn noise(size: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u64 * 0x9E37_79B9_7F4A_7C15 + 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..size.div_ceil(8)).flat_map(|_| next().to_le_bytes()).take(size).collect()
}

/// What a decoder of H.264 is told first: one parameter set of each kind, and NAL units behind lengths of four bytes.
const AVCC: [u8; 19] = [1, 66, 0, 30, 0xFF, 0xE1, 0, 4, 0x67, 66, 0, 30, 1, 0, 4, 0x68, 0xCE, 0x3C, 0x80];

/// Returns a chunk of about `size` bytes of video in 60 frames. Each has one NAL unit, whose content is noise.
pub fn video(index: usize, size: usize) -> Vec<u8> {
    let mut track = Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC");
    track.codec_private = Some(AVCC.to_vec());
    track.video = Some(VideoSettings::new(1280, 720));
    let nal_bytes = size / VIDEO_FRAMES - 4;
    let frame = |kind: u8| [&(nal_bytes as u32).to_be_bytes()[..], &[kind], &noise(nal_bytes - 1, index)].concat();
    let (key, other) = (frame(0x65), frame(0x41));
    let frames: Vec<_> = (0..VIDEO_FRAMES)
        .map(|frame| FrameData {
            track: 1,
            timestamp_ns: frame as i64 * 33_000_000,
            key: frame == 0,
            data: if frame == 0 { &key } else { &other },
        })
        .collect();
    ChunkWriter::new("bench").chunk(&[track], &[("camera", "7")], &leading(index), 0, &frames, &trailing(index))
}

/// Returns a chunk in the layout of Amazon Connect: two audio tracks, and five tags before and again after the cluster.
pub fn connect(index: usize) -> Vec<u8> {
    let writer = ChunkWriter::new("bench");
    let audio = |number, name: &str| {
        let mut track = Track::new(number, TrackKind::Audio, "A_AAC");
        track.name = Some(name.to_owned());
        track.audio = Some(AudioSettings::new(8000.0, 1));
        track
    };
    let tags = [
        ("ContactId", "00000000-0000-4000-8000-000000000001"),
        ("InstanceId", "00000000-0000-4000-8000-0000000000aa"),
        ("MimeType", "audio/L16;rate=8000;channels=1;"),
        ("AUDIO_TO_CUSTOMER", "2"),
        ("AUDIO_FROM_CUSTOMER", "1"),
    ];
    let data = noise(1024, index);
    let frames: Vec<_> = (0..CONNECT_FRAMES)
        .map(|frame| FrameData {
            track: 1 + frame as u64 % 2,
            timestamp_ns: frame as i64 / 2 * 64_000_000,
            key: true,
            data: &data,
        })
        .collect();
    let single = |writer: &ChunkWriter| -> Vec<u8> { tags.iter().flat_map(|tag| writer.tags(&[*tag])).collect() };
    [
        writer.head(&[audio(1, "AUDIO_FROM_CUSTOMER"), audio(2, "AUDIO_TO_CUSTOMER")]),
        single(&writer),
        writer.leading_tags(&leading(index)),
        writer.cluster(0, &frames),
        single(&writer),
        writer.trailing_tags(&trailing(index)),
    ]
    .concat()
}
