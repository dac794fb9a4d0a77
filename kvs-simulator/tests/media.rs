//! Media files are served unchanged: packets and decoded frames of many codecs and layouts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/calls.rs"]
mod calls;
mod common;
#[path = "common/framemd5.rs"]
mod framemd5;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use common::{producer_document, simulator_with};
use kvs_simulator::{Limits, Pace, Repeat, Simulator, SimulatorConfig, StreamSource};
use serde_json::{Value, json};

/// Name of a file, and ffmpeg's arguments that encode a second of test pattern and tone.
const ENCODED: &[(&str, &str)] = &[
    ("h264-aac.mkv", "-c:v libx264 -g 5 -bf 2 -c:a aac"),
    ("h264-open-sizes.mkv", "-c:v libx264 -g 5 -c:a aac -live 1"),
    ("h264-interlaced.mkv", "-c:v libx264 -g 5 -flags +ilme+ildct -field_order tt -an"),
    ("h264-colour.mkv", "-c:v libx264 -g 5 -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 -an"),
    ("hevc.mkv", "-c:v libx265 -g 5 -x265-params log-level=none -an"),
    ("vp8-vorbis.webm", "-c:v libvpx -g 5 -deadline realtime -c:a libvorbis"),
    ("vp9-opus.webm", "-c:v libvpx-vp9 -g 5 -deadline realtime -cpu-used 8 -c:a libopus"),
    ("av1.mkv", "-c:v libaom-av1 -g 5 -cpu-used 8 -usage realtime -an"),
    ("mpeg4-mp3.mkv", "-c:v mpeg4 -g 5 -bf 2 -c:a libmp3lame"),
    ("mpeg2-mp2.mkv", "-c:v mpeg2video -g 5 -c:a mp2"),
    ("msmpeg4-pcm.mkv", "-c:v msmpeg4 -g 5 -c:a pcm_s16le"),
    ("mjpeg-pcm-be.mkv", "-c:v mjpeg -c:a pcm_s16be"),
    ("ffv1-flac.mkv", "-c:v ffv1 -c:a flac"),
    ("theora-vorbis.mkv", "-c:v libtheora -g 5 -c:a libvorbis"),
    ("prores-pcm24.mkv", "-c:v prores_ks -c:a pcm_s24le"),
    ("raw-pcm-float.mkv", "-c:v rawvideo -pix_fmt yuv420p -c:a pcm_f32le"),
    ("dirac.mkv", "-c:v vc2 -s 64x64 -pix_fmt yuv422p -strict -1 -an"),
    ("ac3.mkv", "-vn -c:a ac3 -ac 6"),
    ("eac3.mkv", "-vn -c:a eac3"),
    ("alac.mkv", "-vn -c:a alac"),
    ("wavpack.mkv", "-vn -c:a wavpack"),
    ("tta.mkv", "-vn -c:a tta"),
    ("truehd.mkv", "-vn -c:a truehd -strict -2"),
    ("dts.mkv", "-vn -c:a dca -strict -2"),
];

/// Name of a file, the encoded file it is made from, and mkvmerge's arguments.
const LAID_OUT: &[(&str, &str, &str)] = &[
    ("zlib.mkv", "h264-aac.mkv", "--compression 0:zlib --compression 1:zlib"),
    ("scale-fine.mkv", "h264-aac.mkv", "--timestamp-scale 100000"),
    ("scale-coarse.mkv", "vp9-opus.webm", "--timestamp-scale 10000000"),
    ("laced.mkv", "mpeg4-mp3.mkv", "--cluster-length 500ms"),
    ("small-clusters.mkv", "vp8-vorbis.webm", "--cluster-length 2"),
    ("block-groups.mkv", "vp9-opus.webm", "--engage no_simpleblocks --no-cues"),
    ("attachment.mkv", "h264-aac.mkv", "--attach-file ATTACHED --title attached"),
    ("aspect.mkv", "hevc.mkv", "--aspect-ratio 0:16/9 --stereo-mode 0:1 --cropping 0:1,2,3,4"),
    ("subtitles.mkv", "h264-aac.mkv", "SUBTITLES"),
    ("appended.mkv", "h264-aac.mkv", "+ h264-aac.mkv"),
];

const SUBTITLES: &str = "1\n00:00:00,100 --> 00:00:00,400\nBeg your pardon?\n\n2\n00:00:00,600 --> 00:00:00,900\nNo.\n";

fn run(command: &mut Command) {
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; apt-get install ffmpeg mkvtoolnix"));
    let said = || [output.stdout.as_slice(), &output.stderr].concat();
    // mkvmerge exits with 1 after warnings.
    assert!(
        output.status.code() < Some(2) && output.status.code().is_some(),
        "{command:?}: {}",
        String::from_utf8_lossy(&said())
    );
}

fn encode(folder: &Path, name: &str, arguments: &str) -> PathBuf {
    let file = folder.join(name);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10:duration=1"]);
    ffmpeg.args(["-f", "lavfi", "-i", "sine=frequency=440:duration=1:sample_rate=48000", "-cluster_time_limit", "300"]);
    let output =
        ffmpeg.args(arguments.split(' ')).arg(&file).output().expect("ffmpeg is installed: apt-get install ffmpeg");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    file
}

fn lay_out(folder: &Path, (name, from, arguments): (&str, &str, &str)) -> PathBuf {
    let file = folder.join(name);
    let subtitles = folder.join("subtitles.srt");
    std::fs::write(&subtitles, SUBTITLES).unwrap();
    let mut mkvmerge = Command::new("mkvmerge");
    mkvmerge.arg("-q").arg("-o").arg(&file).current_dir(folder);
    let (before, after): (Vec<&str>, Vec<&str>) = arguments
        .split(' ')
        .partition(|argument| !matches!(*argument, "+" | "SUBTITLES") && !argument.ends_with(".mkv"));
    mkvmerge.args(before.into_iter().map(|argument| if argument == "ATTACHED" { "subtitles.srt" } else { argument }));
    mkvmerge.arg(from);
    mkvmerge.args(after.into_iter().map(|argument| if argument == "SUBTITLES" { "subtitles.srt" } else { argument }));
    run(&mut mkvmerge);
    file
}

/// Does the work for each item, on two threads.
fn by_two<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    work(one);
                }
            });
        }
    });
}

fn source(file: &Path, repeat: u64) -> StreamSource {
    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
    StreamSource { name, file: file.to_owned(), repeat: Repeat::Times(repeat), pace: Pace::Max }
}

async fn serve(streams: Vec<StreamSource>) -> Simulator {
    let limits = Limits { idle_timeout: Duration::from_millis(100), calls: false, ..Limits::default() };
    simulator_with(SimulatorConfig { streams, limits, ..SimulatorConfig::default() }).await
}

/// Reads a whole stream with GetMedia into one file.
async fn get_media(simulator: &Simulator, stream: &str, folder: &Path) -> PathBuf {
    let request = json!({ "StreamName": stream, "StartSelector": { "StartSelectorType": "EARLIEST" } });
    let body = calls::call(simulator, "/getMedia", &request).await.bytes().await.unwrap();
    let file = folder.join(format!("{stream}.served"));
    std::fs::write(&file, body).unwrap();
    file
}

/// Serves the files and compares the media received with the files.
async fn expect_unaltered(files: Vec<PathBuf>, folder: &Path) {
    let simulator = serve(files.iter().map(|file| source(file, 1)).collect()).await;
    let mut pairs = Vec::new();
    for file in files {
        let served = get_media(&simulator, &file.file_stem().unwrap().to_string_lossy(), folder).await;
        pairs.push((file, served));
    }
    by_two(&pairs, |(file, served)| framemd5::compare(file, served, folder));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_ffmpeg_and_mkvmerge_are_served_unaltered() {
    if !framemd5::are_there(&["ffmpeg", "mkvmerge"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    by_two(ENCODED, |(name, arguments)| _ = encode(folder.path(), name, arguments));
    by_two(LAID_OUT, |layout| _ = lay_out(folder.path(), *layout));
    let names = ENCODED.iter().map(|(name, _)| name).chain(LAID_OUT.iter().map(|(name, _, _)| name));
    expect_unaltered(names.map(|name| folder.path().join(name)).collect(), folder.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unusual_files_are_served_unaltered() {
    let Some(recordings) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there are no odd files beside it");
        return;
    };
    if !framemd5::are_there(&["ffmpeg"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = std::fs::read_dir(Path::new(&recordings).join("../odd"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "mkv"))
        .collect();
    assert!(files.len() >= 9, "{files:?}");
    expect_unaltered(files, folder.path()).await;
}

async fn rows(simulator: &Simulator, stream: &str) -> Vec<Value> {
    let url = format!("{}/simulator/streams/{stream}/fragments", simulator.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let all: Value = serde_json::from_str(&client.get(url).send().await.unwrap().text().await.unwrap()).unwrap();
    all["fragments"].as_array().unwrap().clone()
}

#[tokio::test]
async fn at_full_pace_times_follow_the_media() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seconds.mkv");
    std::fs::write(&file, producer_document(4)).unwrap();
    let now = || i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    let before = now();
    let simulator = serve(vec![source(&file, 3)]).await;
    let times: Vec<i64> =
        rows(&simulator, "seconds").await.iter().map(|row| row["serverTimestampMs"].as_i64().unwrap()).collect();
    assert_eq!(times.len(), 12);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 1_000), "{times:?}");
    // The timestamps are those of a recording that ends now.
    assert!((before..=now()).contains(&(times[11] + 1_000)), "{times:?}");
    let listed = calls::call(&simulator, "/listFragments", &json!({ "StreamName": "seconds" })).await;
    let listed: Value = serde_json::from_str(&listed.text().await.unwrap()).unwrap();
    let lengths: Vec<&Value> =
        listed["Fragments"].as_array().unwrap().iter().map(|row| &row["FragmentLengthInMilliseconds"]).collect();
    assert_eq!(lengths, vec![&json!(1_000); 12]);
}

#[tokio::test]
async fn a_file_that_cannot_be_served_is_reported_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let whole = producer_document(1);
    let head = whole.len() - common::cluster(0).len();
    let recording = [common::chunk(0), vec![0x1A, 0x45, 0xDF, 0xA3, 0x80, 0xAE, 0x80]].concat();
    for (name, bytes, said) in [
        ("cut.mkv", &whole[..whole.len() - 1], format!("Cluster (id 0x1F43B675) at byte {head}: the file ends inside")),
        ("none.mkv", &whole[..head], "it holds no Cluster".to_owned()),
        ("text.mkv", b"no media".as_slice(), "EBML header".to_owned()),
        // A file that starts as a recording is one: its error is reported, and it is not served as any other MKV file.
        ("recording.mkv", &recording, "a Segment was expected".to_owned()),
    ] {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        let config = SimulatorConfig { streams: vec![source(&file, 1)], ..SimulatorConfig::default() };
        let error = Simulator::start(config).await.expect_err(name).to_string();
        assert!(error.contains(name) && error.contains(&said), "{error}");
    }
}

/// A stream too large for memory is played as far as it is read, and only its latest fragments are held.
#[tokio::test]
async fn an_endlessly_repeated_file_is_played_as_far_as_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clip.mkv");
    std::fs::write(&file, producer_document(4)).unwrap();
    let limits = Limits { idle_timeout: Duration::from_millis(100), stream_fragments: 40, ..Limits::default() };
    let mut endless = source(&file, 1_000_000_000);
    endless.name = "endless".to_owned();
    let streams = vec![source(&file, 10), endless];
    let simulator = simulator_with(SimulatorConfig { streams, limits, ..SimulatorConfig::default() }).await;
    assert_eq!(rows(&simulator, "clip").await.len(), 40, "what can be held is all there from the start");
    assert!(rows(&simulator, "endless").await.len() <= 1);
    let request = json!({ "StreamName": "endless", "StartSelector": { "StartSelectorType": "EARLIEST" } });
    let mut response = calls::call(&simulator, "/getMedia", &request).await;
    let mut splitter = kvs_mkv::Splitter::new(kvs_mkv::Limits::default(), kvs_mkv::Completion::Token);
    let mut numbers = Vec::new();
    while numbers.len() < 200 {
        let bytes = response.chunk().await.unwrap().unwrap();
        let mut rest: &[u8] = &bytes;
        while let Some(event) = splitter.push(&mut rest).unwrap() {
            if let kvs_mkv::Event::Fragment(fragment) = event {
                numbers.push(fragment.number);
            }
        }
    }
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(rows(&simulator, "endless").await.len(), 40);
}

#[tokio::test]
async fn files_that_are_not_regular_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for file in [Path::new("/dev/zero"), &pipe, folder.path()] {
        let config = SimulatorConfig { streams: vec![source(file, 1)], ..SimulatorConfig::default() };
        let error = Simulator::start(config).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{}: is a ", file.display())) && error.contains("regular file"), "{error}");
    }
}
