#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kvs_mkv::{
    AudioSettings, ChunkWriter, CompressionAlgorithm, ContentEncoding, ContentTransform, Event, FrameData, LeadingTags,
    Splitter, Timestamp, TrailingTags, VideoSettings,
};

use super::*;

const SPS: &[u8] = &[0x67, 1, 2];
const AVCC: &[u8] = &[1, 0x64, 0, 0x1E, 0xFF, 0xE1, 0, 3, 0x67, 1, 2, 1, 0, 2, 0x68, 3];
const IDR: &[u8] = &[0, 0, 0, 3, 0x65, 7, 7];

fn fragment(tracks: &[Track], tags: &[(&str, &str)], frames: &[(u64, bool, &[u8])]) -> Fragment {
    let frame = |(index, (track, key, data)): (usize, &(u64, bool, &'static [u8]))| FrameData {
        track: *track,
        timestamp_ns: index as i64 * 40_000_000,
        key: *key,
        data,
    };
    let owned: Vec<(u64, bool, &'static [u8])> =
        frames.iter().map(|(track, key, data)| (*track, *key, &*Vec::leak(data.to_vec()))).collect();
    let frames: Vec<_> = owned.iter().enumerate().map(frame).collect();
    let leading = LeadingTags {
        number: "91343852333181432392682062607743920146159169392".parse().unwrap(),
        server_timestamp: Timestamp::from_millis(2),
        producer_timestamp: Timestamp::from_millis(1),
    };
    let trailing = TrailingTags { millis_behind_now: 3, continuation_token: "token".to_owned() };
    let bytes = ChunkWriter::new("tests").chunk(tracks, tags, &leading, 0, &frames, &trailing);
    match Splitter::default().push(&mut bytes.as_slice()) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}

fn video() -> Track {
    let mut video = Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC");
    video.codec_private = Some(AVCC.to_vec());
    video.video = Some(VideoSettings::new(640, 360));
    video.default_duration_ns = Some(40_000_000);
    video
}

fn audio(codec_id: &str) -> Track {
    let mut audio = Track::new(2, TrackKind::Audio, codec_id);
    let mut settings = AudioSettings::new(8000.0, 1);
    settings.bit_depth = Some(16);
    audio.audio = Some(settings);
    audio
}

const ADTS: FrameOptions =
    FrameOptions { video: FrameFormat::AnnexB, audio: AudioFormat::Adts, tracks: TrackSelection(Vec::new()) };

const STORED: FrameOptions =
    FrameOptions { video: FrameFormat::Mkv, audio: AudioFormat::Stored, tracks: TrackSelection(Vec::new()) };

/// The data of one of the frames that are wanted.
fn data(fragment: &Fragment, options: &FrameOptions, nth: usize, limit_bytes: usize) -> Result<Vec<u8>, FrameError> {
    Frames::new(fragment, options).iter().nth(nth).unwrap().data(limit_bytes).map(Cow::into_owned)
}

#[test]
fn frames_come_in_order_with_what_a_consumer_has_to_know() {
    let mut aac = audio("A_AAC");
    aac.codec_private = Some(vec![0x15, 0x88]);
    let fragment = fragment(&[video(), aac], &[], &[(1, true, IDR), (2, false, &[9]), (1, false, IDR), (7, true, IDR)]);
    let frames = Frames::new(&fragment, &ADTS);
    let listed: Vec<_> = frames.iter().collect();
    let facts: Vec<_> = listed
        .iter()
        .map(|frame| (frame.index, frame.track().number, frame.codec(), frame.format(), frame.key, frame.random_access))
        .collect();
    assert_eq!(
        facts,
        [
            (0, 1, "h264", "annexb", true, true),
            (1, 2, "aac", "adts", false, true),
            (2, 1, "h264", "annexb", false, false),
        ]
    );
    assert_eq!((listed[2].pts_ns, listed[2].duration_ns), (80_000_000, Some(40_000_000)));
    assert_eq!((listed[1].duration_ns, listed[1].width()), (None, None));
    assert_eq!((listed[0].width(), listed[0].height()), (Some(640), Some(360)));
    assert_eq!((listed[0].media_type(), listed[0].config()), (Some("video/H264"), Some(AVCC)));
    assert_eq!(listed[0].data(100).unwrap().len(), 4 + SPS.len() + 4 + 2 + IDR.len());
    assert_eq!(listed[2].data(100).unwrap(), &[0, 0, 0, 1, 0x65, 7, 7][..]);
    assert_eq!(listed[1].data(100).unwrap().len(), 8);

    let frames = Frames::new(&fragment, &STORED);
    let stored: Vec<_> = frames.iter().collect();
    assert!(stored.iter().all(|frame| frame.format() == "mkv"));
    assert!(matches!(stored[0].data(100), Ok(Cow::Borrowed(data)) if data == IDR));
}

/// As other software computes it: printf 'h264\0' and the bytes, in sha256sum.
#[test]
fn the_configuration_has_a_stable_id() {
    let with = |config: Option<&[u8]>| {
        let mut video = video();
        video.codec_private = config.map(<[u8]>::to_vec);
        let fragment = fragment(&[video], &[], &[(1, true, IDR)]);
        let frames = Frames::new(&fragment, &STORED);
        frames.iter().next().unwrap().config_id().to_string()
    };
    assert_eq!(with(Some(b"configuration")), CONFIG_ID);
    assert_eq!(with(Some(AVCC)), with(Some(AVCC)));
    assert_ne!(with(Some(AVCC)), with(Some(&AVCC[1..])));
    assert_ne!(with(Some(AVCC)), with(None));
    assert_eq!(with(None).len(), 16);
}

const CONFIG_ID: &str = "b712ea54b0f2352a";

#[test]
fn samples_that_a_tag_names_are_samples() {
    let mut track = audio("A_AAC");
    track.codec_private = Some(vec![0x15, 0x88]);
    let tags = [("MimeType", "audio/L16;rate=8000;channels=1;")];
    let fragment = fragment(&[track], &tags, &[(2, true, &[1, 2, 3, 4]), (2, true, &[1, 2, 3])]);
    for (options, format) in [(&STORED, "mkv"), (&ADTS, "pcm")] {
        let frames = Frames::new(&fragment, options);
        let frame = frames.iter().next().unwrap();
        assert_eq!((frame.codec(), frame.format(), frame.config()), ("pcm_s16le", format, None));
        assert_eq!(frame.media_type(), Some(tags[0].1));
        assert_eq!(frame.data(100).unwrap(), &[1, 2, 3, 4][..]);
    }
    assert_eq!(
        data(&fragment, &ADTS, 1, 100),
        Err(FrameError { track: 2, index: 1, problem: Problem::OddSamples { size_bytes: 3 } })
    );
}

#[test]
fn big_endian_samples_are_swapped_where_asked() {
    let fragment = fragment(&[audio("A_PCM/INT/BIG")], &[], &[(2, true, &[1, 2, 3, 4])]);
    for (options, codec, data) in [(&STORED, "pcm_s16be", [1, 2, 3, 4]), (&ADTS, "pcm_s16le", [2, 1, 4, 3])] {
        let frames = Frames::new(&fragment, options);
        let frame = frames.iter().next().unwrap();
        assert_eq!((frame.codec(), &*frame.data(100).unwrap()), (codec, &data[..]));
    }
}

#[test]
fn encodings_are_undone_also_for_stored_frames_and_for_the_configuration() {
    let stripping = |scope| {
        let algorithm = CompressionAlgorithm::HeaderStripping;
        let transform = ContentTransform::Compression { algorithm, settings: IDR[..4].to_vec() };
        let mut encoding = ContentEncoding::of_frames(transform);
        encoding.scope = scope;
        encoding
    };
    let mut track = video();
    track.content_encodings = vec![stripping(1)];
    let of = |track: &Track| fragment(std::slice::from_ref(track), &[], &[(1, false, &IDR[4..])]);
    let stripped = of(&track);
    assert_eq!(data(&stripped, &STORED, 0, 100).unwrap(), IDR);
    let error = data(&stripped, &STORED, 0, 6).unwrap_err();
    assert_eq!(error.problem, Problem::TooLarge { limit_bytes: 6 });

    track.content_encodings = vec![stripping(3)];
    let both = of(&track);
    let config = [&IDR[..4], AVCC].concat();
    assert_eq!(Frames::new(&both, &STORED).iter().next().unwrap().config(), Some(&config[..]));

    track.content_encodings = vec![ContentEncoding::of_frames(ContentTransform::Encryption { algorithm: 5 })];
    let encrypted = of(&track);
    let error = data(&encrypted, &STORED, 0, 100).unwrap_err();
    assert_eq!(
        error.to_string(),
        "frame 0 of the fragment, of track 1: the track's content encoding, encryption (aes), is not supported"
    );
}

#[test]
fn what_is_wrong_with_a_track_concerns_its_frames_only() {
    let mut bad = video();
    bad.codec_private = Some(vec![9]);
    let fragment = fragment(&[bad, audio("A_OPUS")], &[], &[(1, true, IDR), (2, true, &[5])]);
    let frames = Frames::new(&fragment, &FrameOptions::default());
    let results: Vec<_> = frames.iter().map(|frame| frame.data(100).is_ok()).collect();
    assert_eq!(results, [false, true]);
    // As stored, nobody has to understand the configuration.
    assert!(Frames::new(&fragment, &STORED).iter().all(|frame| frame.data(100).is_ok()));
    let only = FrameOptions { tracks: "audio".parse().unwrap(), ..FrameOptions::default() };
    assert_eq!(Frames::new(&fragment, &only).iter().map(|frame| frame.index).collect::<Vec<_>>(), [1]);
}
