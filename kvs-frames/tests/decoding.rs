//! Frames decoded by PyAV, that is FFmpeg, in comparison with what it decodes of the file itself. Real recordings and odd media are
//! read from the folder `KVS_RECORDINGS` and from `odd` beside it; without it, their tests print that they are skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use kvs_frames::{AudioFormat, FrameFormat, FrameOptions, Frames};
use kvs_mkv::{
    ChunkWriter, Event, FileSegment, Fragment, FrameData, LeadingTags, Limits, Splitter, Timestamp, Track, TrackKind,
    TrailingTags,
};

/// Returns PyAV's interpreter, installed if it is missing.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let sdks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dev/sdks");
        let output = Command::new(sdks).arg("av").output().expect("dev/sdks can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}

fn run(arguments: &[&Path]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/compare.py");
    let output = Command::new(python()).arg(script).args(arguments).output().expect("python can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty());
    if folder.is_none() {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there are no files to read");
    }
    folder.map(PathBuf::from)
}

/// Returns the complete fragments of a body of GetMedia.
fn split(bytes: &[u8]) -> Vec<Fragment> {
    let (mut splitter, mut piece, mut fragments) = (Splitter::default(), bytes, Vec::new());
    while let Some(event) = splitter.push(&mut piece).unwrap() {
        match event {
            Event::Fragment(fragment) => fragments.push(fragment),
            other => panic!("{other:?}"),
        }
    }
    fragments
}

/// Returns a file's clusters as the fragments that the service makes of them.
fn fragments_of(file: &[u8]) -> Vec<Fragment> {
    let writer = ChunkWriter::new("tests");
    let mut body = Vec::new();
    for (index, (segment, cluster)) in FileSegment::read_all(file, Limits::default())
        .unwrap()
        .iter()
        .flat_map(|segment| segment.clusters.iter().map(move |cluster| (segment, cluster)))
        .enumerate()
    {
        let number = format!("{}", 1000 + index);
        let leading = LeadingTags {
            number: number.parse().unwrap(),
            server_timestamp: Timestamp::from_millis(2),
            producer_timestamp: Timestamp::from_millis(1),
        };
        let trailing = TrailingTags { millis_behind_now: 0, continuation_token: number };
        body.extend(&segment.head);
        body.extend(writer.leading_tags(&leading));
        body.extend(&cluster.bytes);
        body.extend(writer.trailing_tags(&trailing));
    }
    split(&body)
}

const FORMS: [(FrameFormat, AudioFormat, bool); 4] = [
    (FrameFormat::AnnexB, AudioFormat::Stored, false),
    (FrameFormat::AnnexB, AudioFormat::Adts, false),
    // A decoder of its own for each key frame.
    (FrameFormat::AnnexB, AudioFormat::Stored, true),
    (FrameFormat::Mkv, AudioFormat::Stored, false),
];

/// Returns what was compared of the frames in one form, a line a track: number, codec, format, amount.
fn compared(truth: &Path, fragments: &[Fragment], form: (FrameFormat, AudioFormat, bool)) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let (video, audio, fresh) = form;
    let options = FrameOptions { video, audio, ..FrameOptions::default() };
    let (mut list, mut bytes) = (String::new(), Vec::new());
    for fragment in fragments {
        for frame in Frames::new(fragment, &options).iter() {
            let data = frame.data(1 << 20).unwrap();
            let position = fragment.tracks.iter().position(|track| track.number == frame.track().number).unwrap();
            let config: Option<String> =
                frame.config().map(|config| config.iter().map(|byte| format!("{byte:02x}")).collect());
            let config = config.filter(|config| !config.is_empty()).unwrap_or_else(|| "-".to_owned());
            let (track, codec, format, key) = (frame.track().number, frame.codec(), frame.format(), frame.key);
            let (pts_ns, size_bytes) = (frame.pts_ns, data.len());
            writeln!(list, "{track}\t{position}\t{codec}\t{format}\t{key}\t{pts_ns}\t{size_bytes}\t{config}").unwrap();
            bytes.extend(&*data);
        }
    }
    let (list_file, data_file) = (folder.path().join("list"), folder.path().join("data"));
    std::fs::write(&list_file, list).unwrap();
    std::fs::write(&data_file, bytes).unwrap();
    let fresh: &[&Path] = if fresh { &[Path::new("fresh")] } else { &[] };
    run(&[&[truth, &list_file, &data_file], fresh].concat())
}

#[test]
fn every_picture_of_the_recordings_is_that_of_the_file() {
    let Some(folder) = recordings() else { return };
    let truth_folder = tempfile::tempdir().unwrap();
    for (name, pictures) in [
        ("output_get_media.mkv", 300),
        ("kinesis_video_renderer_example_output.mkv", 444),
        ("output-get-media-equal-timecode.mkv", 120),
    ] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let fragments = split(&bytes);
        // What follows the last complete fragment belongs to none.
        let size: usize = fragments.iter().map(|fragment| fragment.payload.len()).sum();
        let truth = truth_folder.path().join(name);
        std::fs::write(&truth, &bytes[..size]).unwrap();
        for form in FORMS {
            let format = form.0.name();
            assert_eq!(compared(&truth, &fragments, form), [format!("1 h264 {format} {pictures} pictures")], "{name}");
        }
    }
}

/// Some producers send byte streams, with a configuration in either form or none.
#[test]
fn frames_that_are_byte_streams_already_stay() {
    let Some(folder) = recordings() else { return };
    for fragment in split(&std::fs::read(folder.join("output_get_media.mkv")).unwrap()) {
        let frames = Frames::new(&fragment, &FrameOptions::default());
        let converted: Vec<_> = frames.iter().map(|frame| (frame, frame.data(1 << 20).unwrap())).collect();
        let mut written: Vec<FrameData<'_>> = Vec::new();
        for (frame, data) in &converted {
            written.push(FrameData { track: 1, timestamp_ns: frame.pts_ns, key: frame.key, data });
        }
        let avcc = fragment.tracks[0].codec_private.clone();
        // Parameter sets are in band, so that those of this configuration are not used.
        let byte_stream = Some(vec![0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3]);
        for config in [None, avcc, byte_stream] {
            let mut track = Track::new(1, TrackKind::Video, "V_MPEG4/ISO/AVC");
            track.codec_private = config;
            let leading = LeadingTags {
                number: fragment.number.clone(),
                server_timestamp: Timestamp::from_millis(2),
                producer_timestamp: Timestamp::from_millis(1),
            };
            let trailing = TrailingTags { millis_behind_now: 0, continuation_token: "token".to_owned() };
            let chunk = ChunkWriter::new("tests").chunk(&[track], &[], &leading, 0, &written, &trailing);
            let again = split(&chunk).remove(0);
            let frames = Frames::new(&again, &FrameOptions::default());
            assert_eq!(frames.iter().count(), converted.len());
            for (frame, (_, data)) in frames.iter().zip(&converted) {
                assert!(frame.data(1 << 20).unwrap() == *data, "frame {}", frame.index);
            }
        }
    }
}

#[test]
fn the_samples_of_amazon_connect_are_those_of_the_file() {
    let Some(folder) = recordings() else { return };
    let file = folder.join("connect_shape_3frag.mkv");
    let fragments = split(&std::fs::read(&file).unwrap());
    let stored = ["1 pcm_s16le mkv 48 packets", "2 pcm_s16le mkv 48 packets"];
    assert_eq!(compared(&file, &fragments, FORMS[0]), stored);
    let samples = ["1 pcm_s16le pcm 48 packets", "2 pcm_s16le pcm 48 packets"];
    assert_eq!(compared(&file, &fragments, FORMS[1]), samples);
    let options = FrameOptions { tracks: "AUDIO_FROM_CUSTOMER".parse().unwrap(), ..FrameOptions::default() };
    let chosen =
        Frames::new(&fragments[0], &options).iter().map(|frame| frame.track().name.clone()).collect::<Vec<_>>();
    assert_eq!(chosen, vec![Some("AUDIO_FROM_CUSTOMER".to_owned()); 16]);
}

/// A medium whose groups are open: of each of three, a decoder that begins at the key frame loses the picture that is shown
/// before it.
const OPEN_GROUPS: &str = "second of two-segments";

/// Compares a file in all forms; `adts` says what its tracks give with ADTS headers, `stored` without.
fn compare_odd(name: &str, file: &Path, stored: &[&str], adts: &[&str]) {
    let fragments = fragments_of(&std::fs::read(file).unwrap());
    for (form, expected) in FORMS.into_iter().zip([stored, adts, stored, stored]) {
        let mut expected: Vec<_> = expected.iter().map(|line| line.replace("VIDEO", form.0.name())).collect();
        if form.2 && name == OPEN_GROUPS {
            expected[0] = expected[0].replace("40", "37");
        }
        assert_eq!(compared(file, &fragments, form), expected, "{name}: {form:?}");
    }
}

#[test]
fn every_frame_of_odd_media_is_that_of_the_file() {
    let Some(folder) = recordings() else { return };
    let pictures = "1 h264 VIDEO 40 pictures";
    for (name, stored, adts) in [
        ("h264-anamorphic", &[pictures][..], &[pictures][..]),
        ("h264-bframes", &[pictures, "2 aac mkv 64 packets"], &[pictures, "2 aac adts 262144 bytes of samples"]),
        ("hand-headerstrip-aac", &["1 aac mkv 61 packets"], &["1 aac adts 249856 bytes of samples"]),
        ("hand-lacing-xiph", &["1 aac mkv 64 packets"], &["1 aac adts 262144 bytes of samples"]),
        ("hand-scale-10ms-cluster-40s", &["1 aac mkv 41 packets"], &["1 aac adts 167936 bytes of samples"]),
        ("opus-only", &["1 opus mkv 201 packets"], &["1 opus mkv 201 packets"]),
        ("pcm-s24le", &["1 pcm_s24le mkv 32 packets"], &["1 pcm_s24le mkv 32 packets"]),
        ("zlib-video", &[pictures, "2 aac mkv 64 packets"], &[pictures, "2 aac adts 262144 bytes of samples"]),
    ] {
        compare_odd(name, &folder.join(format!("../odd/{name}.mkv")), stored, adts);
    }
}

/// FFmpeg does not begin anew at the second Segment of a file, so that each is a file of its own for it.
#[test]
fn every_frame_of_two_segments_is_that_of_its_segment() {
    let Some(folder) = recordings() else { return };
    let bytes = std::fs::read(folder.join("../odd/two-segments.mkv")).unwrap();
    let second = bytes.windows(4).rposition(|window| window == b"\x1A\x45\xDF\xA3").unwrap();
    let files = tempfile::tempdir().unwrap();
    let pictures = "1 h264 VIDEO 40 pictures";
    for (name, segment, stored, adts) in [
        (
            "first of two-segments",
            &bytes[..second],
            &[pictures, "2 aac mkv 64 packets"][..],
            &[pictures, "2 aac adts 262144 bytes of samples"][..],
        ),
        (OPEN_GROUPS, &bytes[second..], &["1 h265 VIDEO 40 pictures"], &["1 h265 VIDEO 40 pictures"]),
    ] {
        let file = files.path().join(name);
        std::fs::write(&file, segment).unwrap();
        compare_odd(name, &file, stored, adts);
    }
}

/// Pictures that PyAV encodes, with B-frames.
#[test]
fn every_picture_of_h265_and_h264_with_b_frames_is_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    for (encoder, codec) in [("libx265", "h265"), ("libx264", "h264")] {
        let file = folder.path().join(format!("{encoder}.mkv"));
        run(&[Path::new("make"), &file, Path::new(encoder)]);
        let fragments = fragments_of(&std::fs::read(&file).unwrap());
        for form in FORMS {
            let format = form.0.name();
            assert_eq!(compared(&file, &fragments, form), [format!("1 {codec} {format} 60 pictures")], "{form:?}");
        }
    }
}

/// Compares each track of a file with the documents that have that track only, and returns what was compared.
fn chosen(truth: &Path, fragments: &[Fragment]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let tracks = fragments[0].tracks.clone();
    let lines = tracks.iter().enumerate().map(|(position, track)| {
        let documents: Vec<_> = (0..fragments.len()).map(|index| folder.path().join(index.to_string())).collect();
        for (fragment, document) in fragments.iter().zip(&documents) {
            let chosen = fragment.with_tracks(0, |one| one.number == track.number).unwrap();
            std::fs::write(document, &*chosen.payload).unwrap();
        }
        let position = position.to_string();
        let start = [Path::new("chosen"), truth, Path::new(&position)];
        run(&start.into_iter().chain(documents.iter().map(PathBuf::as_path)).collect::<Vec<_>>()).concat()
    });
    lines.collect()
}

#[test]
fn what_is_left_when_tracks_are_chosen_is_a_file_with_the_same_pictures_and_samples() {
    let Some(folder) = recordings() else { return };
    let connect = folder.join("connect_shape_3frag.mkv");
    let fragments = split(&std::fs::read(&connect).unwrap());
    assert_eq!(chosen(&connect, &fragments), ["48 packets, 0 hashes"; 2]);
    for (name, expected) in [
        ("h264-bframes", &["40 packets, 40 hashes", "64 packets, 1 hashes"][..]),
        ("hand-lacing-xiph", &["64 packets, 1 hashes"]),
        ("zlib-video", &["40 packets, 40 hashes", "64 packets, 1 hashes"]),
    ] {
        let file = folder.join(format!("../odd/{name}.mkv"));
        assert_eq!(chosen(&file, &fragments_of(&std::fs::read(&file).unwrap())), expected, "{name}");
    }
}
