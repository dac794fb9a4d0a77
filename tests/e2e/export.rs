//! `kvs-connect export`, `play` and `snapshot`: what is written is the stream's own frames.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kvs_harness::topic::read_records;
use kvs_harness::{Connector, ConnectorFile, Kafka, wait_for};
use kvs_mkv::{
    AudioSettings, ChunkWriter, FrameData, LeadingTags, Limits, Splitter, Timestamp, Track, TrackKind, TrailingTags,
};
use kvs_simulator::Pace;
use nix::sys::signal::Signal;

use crate::framemd5;
use crate::stage::{Stage, program};
use crate::verify::{copy, copy_to, run, text, written};

/// A stage with a stream of real video, published.
pub fn published(test: &str) -> (&'static Kafka, Stage, Connector) {
    let (kafka, stage) = (Kafka::shared(), Stage::new(test));
    let worker = publish(kafka, &stage, &clip());
    (kafka, stage, worker)
}

/// Publishes a file as the stream `door`.
fn publish(kafka: &Kafka, stage: &Stage, file: &Path) -> Connector {
    stage.add("door", file, 1, Pace::Max);
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&["door"]));
    worker.wait_healthy();
    stage.expect_all(kafka, &["door"]);
    worker
}

fn clip() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/demo/clip.mkv")
}

/// Returns the command for the stage's topic.
fn command(stage: &Stage, kafka: &Kafka, name: &str) -> Command {
    let mut command = Command::new(program());
    command.args([name, "--bootstrap-servers", kafka.bootstrap(), "--topic", &stage.topic()]);
    command
}

fn export(stage: &Stage, kafka: &Kafka, file: &Path, more: &[&str]) -> Output {
    let mut command = command(stage, kafka, "export");
    command.args(["--stream", "door", "-o"]).arg(file).args(more);
    run(command)
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{:?}: {}", output.status, text(&output.stderr));
    text(&output.stdout)
}

/// Returns what ffprobe says of a file, and expects it to warn of nothing.
fn probed(file: &Path) -> String {
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "warning", "-show_entries", "format=format_name,duration:stream=codec_name,nb_read_packets"]);
    let output = probe.args(["-count_packets", "-of", "default=noprint_wrappers=1"]).arg(file).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Returns what is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn an_exported_file_has_the_streams_own_frames() {
    let (kafka, stage, worker) = published("export");
    let folder = stage.folder.path().join("out");
    std::fs::create_dir(&folder).unwrap();
    let (mkv, scratch) = (folder.join("door.mkv"), stage.folder.path());

    let said = succeeded(&export(&stage, kafka, &mkv, &[]));
    assert!(said.contains("door.mkv: ") && !said.contains("gap"), "{said}");
    // Packets and pictures, with times and digests.
    framemd5::compare(&clip(), &mkv, scratch);
    let (was, is) = (probed(&clip()), probed(&mkv));
    let line = |text: &str, name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    assert_eq!(line(&was, "nb_read_packets"), line(&is, "nb_read_packets"));
    let seconds: f64 = line(&is, "duration=").split_once('=').unwrap().1.parse().unwrap();
    assert!(seconds > 1.0, "{is}");

    // The archive has the same.
    let archive = folder.join("archive.mkv");
    let mut from_archive = Command::new(program());
    let file = written(&stage, "cameras.json", &stage.connector(&["door"]).text());
    // Which needs no Kafka.
    from_archive.args(["export", "--source", "kvs", "--stream", "door", "--file"]);
    from_archive.arg(file).arg("-o").arg(&archive);
    succeeded(&run(from_archive));
    assert!(std::fs::read(&archive).unwrap() == std::fs::read(&mkv).unwrap(), "the archive's file is another one");

    // As .mp4, whose clock is another one: the pictures.
    let mp4 = folder.join("door.mp4");
    succeeded(&export(&stage, kafka, &mp4, &[]));
    let pictures = |file: &Path| {
        let (_, frames) = framemd5::packets_and_frames(file, scratch);
        let digest = |line: &str| line.rsplit(',').next().unwrap().trim().to_owned();
        frames.lines().filter(|line| !line.starts_with('#')).map(digest).collect::<Vec<_>>()
    };
    assert_eq!(pictures(&clip()), pictures(&mp4));
    probed(&mp4);

    // A part of it: the fragments from the second to the third.
    let numbers: Vec<String> = stage.held("door").into_iter().map(|(number, _)| number).collect();
    let part = folder.join("part.mkv");
    let range = format!("{}..{}", numbers[1], numbers[2]);
    let said = succeeded(&export(&stage, kafka, &part, &["--fragments", &range]));
    assert!(said.contains("2 fragments"), "{said}");
    assert!(export(&stage, kafka, &part, &["--last", "1h"]).status.success());

    // A player gets the same.
    let mut play = command(&stage, kafka, "play");
    play.args(["--stdout", "--until-end", "--last", "1h", "door"]);
    let played = run(play);
    assert!(played.status.success(), "{}", text(&played.stderr));
    let frames = |file: &[u8]| Splitter::read_document(file, Limits::default()).unwrap().frames.len();
    assert_eq!(frames(&played.stdout), frames(&std::fs::read(&mkv).unwrap()));

    // The newest key frame as a picture.
    let picture = folder.join("door.png");
    let mut snapshot = command(&stage, kafka, "snapshot");
    snapshot.args(["door", "-o"]).arg(&picture);
    succeeded(&run(snapshot));
    assert!(probed(&picture).contains("codec_name=png"));
    // Tail, by streams, and with the media.
    let tail = |more: &[&str]| {
        let mut tail = command(&stage, kafka, "tail");
        tail.args(["--from", "beginning"]).args(more);
        succeeded(&run(tail))
    };
    let fragments = numbers.len();
    let lines = tail(&["--until-end", "--stats"]);
    let row = lines.lines().find(|line| line.starts_with("door ")).unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(
        (cells[1], cells[4], cells[7]),
        (&*fragments.to_string(), &*(fragments - 1).to_string(), "0"),
        "{lines}"
    );
    let record: serde_json::Value =
        serde_json::from_str(&tail(&["--max", "1", "--json", "--payload", "base64"])).unwrap();
    let payload = record["payload"].as_str().unwrap();
    let size_bytes = record["size_bytes"].as_u64().unwrap() as usize;
    assert_eq!(payload.len(), size_bytes.div_ceil(3) * 4, "{}", record["fragment_number"]);

    assert_eq!(names(&folder), ["archive.mkv", "door.mkv", "door.mp4", "door.png", "part.mkv"]);
    drop(worker);

    // On a terminal, a bar shows how far it is.
    let on_terminal = format!(
        "'{}' export --bootstrap-servers {} --topic {} --stream door -o '{}'",
        program().display(),
        kafka.bootstrap(),
        stage.topic(),
        folder.join("bar.mkv").display()
    );
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &on_terminal, "/dev/null"]).stdin(std::process::Stdio::null());
    let shown = succeeded(&run(terminal));
    assert!(shown.contains("offsets read") && shown.contains(" % "), "{shown:?}");

    // The topic of a stream follows from its template.
    copy(kafka, &format!("{}-door", stage.name), &read_records(kafka.bootstrap(), &stage.topic()));
    let connector =
        ConnectorFile::new("cameras", stage.simulator.url(), &["door"], &format!("{}-${{stream}}", stage.name));
    let file = written(&stage, "template.json", &connector.text());
    let mut command = Command::new(program());
    command.args(["export", "--bootstrap-servers", kafka.bootstrap(), "--stream", "door", "--file"]).arg(file);
    command.arg("-o").arg(folder.join("template.mkv"));
    succeeded(&run(command));

    // A stream in several partitions cannot be read in order: that is said, and nothing is left out in silence.
    let spread = format!("{}-spread", stage.name);
    let all = read_records(kafka.bootstrap(), &stage.topic());
    kafka.create_topic(&spread, 2, &[]);
    copy_to(kafka, &spread, &all, |index| (index % 2) as i32);
    let mut command = Command::new(program());
    command.args(["export", "--bootstrap-servers", kafka.bootstrap(), "--topic", &spread, "--stream", "door", "-o"]);
    command.arg(folder.join("spread.mkv"));
    let output = run(command);
    assert_eq!(output.status.code(), Some(69), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("in several partitions"), "{}", text(&output.stderr));

    // What is missing is a gap in time, and is said.
    let mut records = read_records(kafka.bootstrap(), &stage.topic());
    records.remove(1);
    let holed = format!("{}-holed", stage.name);
    copy(kafka, &holed, &records);
    let mut command = Command::new(program());
    let file = folder.join("holed.mkv");
    command
        .args(["export", "--bootstrap-servers", kafka.bootstrap(), "--topic", &holed, "--stream", "door", "-o"])
        .arg(&file);
    let said = succeeded(&run(command));
    assert!(said.contains("\ngap at ") && said.contains("1 records are missing in between"), "{said}");
}

#[test]
fn what_amazon_connect_sends_becomes_a_wav_file() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("export-wav"));
    let file = stage.folder.path().join("call.mkv");
    let samples =
        |track: u8, index: usize| (0..512_usize).flat_map(|at| [track, (index * 7 + at) as u8]).collect::<Vec<u8>>();
    let call: Vec<u8> = (0..4).flat_map(|index| call(index, &samples)).collect();
    std::fs::write(&file, call).unwrap();
    let _worker = publish(kafka, &stage, &file);
    let wav = stage.folder.path().join("customer.wav");
    let output = export(&stage, kafka, &wav, &[]);
    let said = text(&output.stderr);
    assert!(output.status.code() == Some(64) && said.contains("AUDIO_FROM_CUSTOMER, AUDIO_TO_CUSTOMER"), "{said}");
    succeeded(&export(&stage, kafka, &wav, &["--tracks", "AUDIO_TO_CUSTOMER"]));
    let expected: Vec<u8> = (0..4).flat_map(|index| samples(2, index)).collect();
    assert!(std::fs::read(&wav).unwrap()[44..] == expected, "other samples");
    let probed = probed(&wav);
    assert!(probed.contains("codec_name=pcm_s16le") && probed.contains("duration=0.256"), "{probed}");
    // In .mkv the tracks are declared as what they have.
    let mkv = stage.folder.path().join("call.out.mkv");
    succeeded(&export(&stage, kafka, &mkv, &[]));
    let of_mkv = self::probed(&mkv);
    assert_eq!(of_mkv.matches("codec_name=pcm_s16le").count(), 2, "{of_mkv}");
    let mut decoded = Command::new("ffmpeg");
    decoded.args(["-v", "error", "-i"]).arg(&mkv).args(["-map", "0:a:1", "-f", "s16le", "-"]);
    assert!(decoded.output().unwrap().stdout == expected, "other samples");
}

#[test]
fn audio_that_has_to_be_decoded_becomes_a_wav_file() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("export-aac"));
    let file = stage.folder.path().join("aac.mkv");
    let mut make = Command::new("ffmpeg");
    make.args([
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "sine=440:duration=3",
        "-c:a",
        "aac",
        "-cluster_time_limit",
        "1000",
    ]);
    assert!(make.arg(&file).status().unwrap().success());
    let _worker = publish(kafka, &stage, &file);
    let wav = stage.folder.path().join("sine.wav");
    // A second file of the same name, whose target a link leads to.
    let link = stage.folder.path().join("link.wav");
    std::os::unix::fs::symlink(&wav, &link).unwrap();
    std::fs::write(&wav, "before").unwrap();
    succeeded(&export(&stage, kafka, &link, &[]));
    assert!(link.is_symlink());
    let probed = probed(&wav);
    assert!(probed.contains("codec_name=pcm_s16le") && probed.contains("format_name=wav"), "{probed}");
    // One record that is no fragment keeps none of the others from being exported.
    let mut records = read_records(kafka.bootstrap(), &stage.topic());
    records[1].value.truncate(40);
    let damaged = format!("{}-damaged", stage.name);
    copy(kafka, &damaged, &records);
    let mut command = Command::new(program());
    command.args(["export", "--bootstrap-servers", kafka.bootstrap(), "--topic", &damaged, "--stream", "door", "-o"]);
    let output = run({
        command.arg(stage.folder.path().join("damaged.mkv"));
        command
    });
    let said = succeeded(&output);
    assert!(said.contains(&format!("{} fragments", records.len() - 1)), "{said}");
    assert!(text(&output.stderr).contains("partition 0 offset 1 is left out"), "{}", text(&output.stderr));
}

/// Returns a fragment as Amazon Connect sends it: 64 ms of two tracks.
fn call(index: usize, samples: &impl Fn(u8, usize) -> Vec<u8>) -> Vec<u8> {
    let audio = |number, name: &str| {
        let mut track = Track::new(number, TrackKind::Audio, "A_AAC");
        track.name = Some(name.to_owned());
        track.audio = Some(AudioSettings::new(8000.0, 1));
        track
    };
    let tracks = [audio(1, "AUDIO_FROM_CUSTOMER"), audio(2, "AUDIO_TO_CUSTOMER")];
    let start_ns = 64_000_000 * index as i64;
    let (from, to) = (samples(1, index), samples(2, index));
    let frame = |track, data| FrameData { track, timestamp_ns: start_ns, key: true, data };
    let at = Timestamp::from_millis(1_511_852_100_000 + 64 * index as i64);
    let leading = LeadingTags {
        number: format!("{}", 91_343_852_333_181_u64 + index as u64).parse().unwrap(),
        server_timestamp: at,
        producer_timestamp: at,
    };
    let trailing = TrailingTags { millis_behind_now: 0, continuation_token: leading.number.as_str().to_owned() };
    let tags = [("MimeType", "audio/L16;rate=8000;channels=1;")];
    ChunkWriter::new("test").chunk(&tracks, &tags, &leading, start_ns, &[frame(1, &from), frame(2, &to)], &trailing)
}

#[test]
fn no_half_file_is_left() {
    let (kafka, stage, _worker) = published("export-errors");
    let folder = stage.folder.path().join("out");
    std::fs::create_dir(&folder).unwrap();
    let refused = |output: &Output, code: i32, said: &str| {
        let errors = text(&output.stderr);
        assert!(output.status.code() == Some(code) && errors.contains(said), "{:?}: {errors}", output.status);
        assert_eq!(names(&folder), Vec::<String>::new(), "{errors}");
    };
    let file = folder.join("door.mkv");
    refused(&export(&stage, kafka, &folder.join("door.avi"), &[]), 64, ".mkv, .mp4 or .wav was expected");
    refused(&export(&stage, kafka, &folder.join("none/door.mkv"), &[]), 69, "cannot be written: No such file");
    refused(&export(&stage, kafka, &file, &["--to", "1000"]), 69, "has no fragment of stream door in this range");
    refused(&export(&stage, kafka, &file, &["--from", "2000", "--to", "1000"]), 64, "--from is later than --to");
    refused(
        &export(&stage, kafka, &file, &["--last", "1m", "--to", "1000"]),
        64,
        "what --last begins with is later than",
    );
    refused(&export(&stage, kafka, &file, &["--fragments", "2..1"]), 64, "the first one is behind the last one");
    refused(
        &export(&stage, kafka, &file, &["--from", "0", "--to", "1970-01-01T01:00:00.5+01:00"]),
        69,
        "in this range",
    );
    refused(&export(&stage, kafka, &file, &["--tracks", "nobody"]), 69, "tracks is to be kept");
    refused(&export(&stage, kafka, &folder.join("door.wav"), &[]), 64, "no audio");
    let mut other = Command::new(program());
    other.args([
        "export",
        "--bootstrap-servers",
        kafka.bootstrap(),
        "--topic",
        "no-such-topic",
        "--stream",
        "door",
        "-o",
    ]);
    other.arg(&file);
    refused(&run(other), 69, "the topic does not exist");
    let mut near = Command::new(program());
    let name = stage.topic();
    near.args(["tail", "--bootstrap-servers", kafka.bootstrap(), "--topic", name.trim_end_matches('s')]);
    refused(&run(near), 69, &format!("may not be read; there is a topic {name}"));
    let mut snapshot = command(&stage, kafka, "snapshot");
    snapshot.args(["door", "-o"]).arg(folder.join("x.txt"));
    refused(&run(snapshot), 64, "a name that ends with .jpg, .jpeg, .png, .webp, .bmp was expected");
    let mut snapshot = command(&stage, kafka, "snapshot");
    snapshot.args(["nobody", "-o"]).arg(folder.join("x.jpg"));
    refused(
        &run(snapshot),
        69,
        "no fragment of stream nobody that begins with a key frame of video; the topic has door",
    );
    // No ffmpeg, no player.
    let mut mp4 = command(&stage, kafka, "export");
    mp4.args(["--stream", "door", "-o"]).arg(folder.join("door.mp4")).env("PATH", "/nowhere");
    refused(&run(mp4), 69, "needs ffmpeg, which is not installed");
    let mut play = command(&stage, kafka, "play");
    play.arg("door").env("PATH", "/nowhere");
    refused(&run(play), 69, "there is neither ffplay nor mpv");
    // A disk that is full, as far as a process can be told.
    let mut full = Command::new("bash");
    full.args(["-c", "ulimit -f 8; trap '' XFSZ; exec \"$@\"", "bash"]).arg(program());
    full.args([
        "export",
        "--bootstrap-servers",
        kafka.bootstrap(),
        "--topic",
        &stage.topic(),
        "--stream",
        "door",
        "-o",
    ])
    .arg(&file);
    refused(&run(full), 69, "File too large");
    // What nohup has a program ignore stays ignored.
    let mut unhurt = Command::new("nohup");
    unhurt.arg(program()).args([
        "export",
        "--bootstrap-servers",
        "127.0.0.1:1",
        "--topic",
        "t",
        "--stream",
        "door",
        "-o",
    ]);
    let child =
        unhurt.arg(&file).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    wait_for("the part of the file", || !names(&folder).is_empty());
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(id, Signal::SIGHUP).unwrap();
    nix::sys::signal::kill(id, Signal::SIGTERM).unwrap();
    refused(&child.wait_with_output().unwrap(), 143, "interrupted; no file was written");
    // Ctrl-C, and what ends a program from afar.
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let mut waiting = Command::new(program());
        waiting.args(["export", "--bootstrap-servers", "127.0.0.1:1", "--topic", "t", "--stream", "door", "-o"]);
        let child = waiting.arg(&file).stderr(std::process::Stdio::piped()).spawn().unwrap();
        wait_for("the part of the file", || !names(&folder).is_empty());
        let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::signal::kill(id, signal).unwrap();
        refused(&child.wait_with_output().unwrap(), code, "interrupted; no file was written");
    }
    // A signal that comes when the file is there takes nothing back, and nobody says so.
    let mut late = command(&stage, kafka, "export");
    late.args(["--stream", "door", "-o"]).arg(&file);
    let child = late.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    wait_for("the file", || file.exists());
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(id, Signal::SIGTERM).unwrap();
    assert!(succeeded(&child.wait_with_output().unwrap()).contains(" fragments, "));
    assert_eq!(names(&folder), ["door.mkv"]);
    // A track that is not there, among others that are, is said.
    let some = export(&stage, kafka, &file, &["--tracks", "video,nobody"]);
    succeeded(&some);
    assert!(text(&some.stderr).contains("--tracks nobody: no fragment has this track"), "{}", text(&some.stderr));
}

#[test]
fn a_gap_that_an_mp4_file_cannot_hold_is_refused_and_an_mkv_file_has_it() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("export-long-gap"));
    // Half a second of video, and the same two days later.
    let (first, file) = (stage.folder.path().join("first.mkv"), stage.folder.path().join("gap.mkv"));
    let mut make = Command::new("ffmpeg");
    make.args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=0.5", "-c:v", "libx264"]);
    assert!(make.arg(&first).status().unwrap().success());
    let document = std::fs::read(&first).unwrap();
    let fragment = Splitter::read_document(&document, Limits::default()).unwrap();
    let mut bytes = Vec::new();
    for (number, hours) in [(1_u64, 0_i64), (2, 48)] {
        let at = Timestamp::from_millis(1_511_852_100_000 + hours * 3_600_000);
        let leading = LeadingTags {
            number: (91_343_852_333_181_u64 + number).to_string().parse().unwrap(),
            server_timestamp: at,
            producer_timestamp: at,
        };
        let trailing = TrailingTags { millis_behind_now: 0, continuation_token: leading.number.as_str().to_owned() };
        let frames: Vec<FrameData<'_>> = fragment
            .frames
            .iter()
            .map(|frame| FrameData {
                track: frame.track,
                timestamp_ns: frame.timestamp_ns,
                key: frame.key,
                data: &document[frame.offset..frame.offset + frame.size_bytes],
            })
            .collect();
        let tracks: Vec<Track> = fragment.tracks.iter().cloned().collect();
        bytes.extend(ChunkWriter::new("test").chunk(&tracks, &[], &leading, 0, &frames, &trailing));
    }
    std::fs::write(&file, bytes).unwrap();
    let _worker = publish(kafka, &stage, &file);
    let out = stage.folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    let output = export(&stage, kafka, &out.join("door.mp4"), &[]);
    let errors = text(&output.stderr);
    assert!(output.status.code() == Some(69) && errors.contains(".mkv"), "{:?}: {errors}", output.status);
    assert_eq!(names(&out), Vec::<String>::new());
    let said = succeeded(&export(&stage, kafka, &out.join("door.mkv"), &[]));
    assert!(said.contains("gap at 0.500 s: 17279"), "{said}");
}
