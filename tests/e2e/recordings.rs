//! Real recordings, published and saved as files again.

use std::path::Path;
use std::process::Command;

use kvs_harness::{Isolation, Kafka, read_topic};
use kvs_simulator::Pace;

use crate::discontinuity::discontinuities;
use crate::stage::{Stage, program};

/// Stream, file, number of complete fragments.
const FILES: [(&str, &str, usize); 5] = [
    ("get-media", "output_get_media.mkv", 5),
    ("renderer", "kinesis_video_renderer_example_output.mkv", 8),
    ("equal-timecode", "output-get-media-equal-timecode.mkv", 1),
    ("empty", "empty-mkv-with-tags.mkv", 0),
    ("connect", "connect_shape_3frag.mkv", 3),
];

#[test]
fn every_complete_fragment_is_published_byte_for_byte() {
    let Some(folder) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there are no recordings to send");
        return;
    };
    let (kafka, stage) = (Kafka::shared(), Stage::new("recordings"));
    let streams: Vec<&str> = FILES.iter().map(|(stream, _, _)| *stream).collect();
    for (stream, file, _) in FILES {
        stage.add(stream, &Path::new(&folder).join(file), 1, Pace::Max);
    }
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&streams));
    worker.wait_healthy();
    stage.expect_all(kafka, &streams);
    let seen = read_topic(kafka.bootstrap(), &stage.topic(), Isolation::Committed);
    assert!(seen.iter().all(|one| one.random_access == Some(true)), "{seen:?}");
    for (stream, ..) in FILES {
        // Real media, with gaps and overlaps: only the first fragment continues nothing.
        let first: Vec<String> = stage.held(stream).into_iter().map(|(number, _)| number).take(1).collect();
        assert_eq!(discontinuities(&stage, kafka, stream), first, "{stream}");
    }

    let saved = stage.folder.path().join("saved");
    let status = Command::new(program())
        .args(["tail", "--bootstrap-servers", kafka.bootstrap(), "--topic", &stage.topic()])
        .args(["--from", "beginning", "--until-end", "--json", "--save"])
        .arg(&saved)
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let mut left: Vec<String> =
        std::fs::read_dir(&saved).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let ffprobe = Command::new("ffprobe").arg("-version").output().is_ok();
    if !ffprobe {
        assert!(std::env::var_os("CI").is_none(), "ffprobe is missing; apt-get install ffmpeg");
        println!("SKIPPED in part: ffprobe is not there (apt-get install ffmpeg), so no file is opened with it");
    }
    for (stream, file, whole) in FILES {
        let bytes = std::fs::read(Path::new(&folder).join(file)).unwrap();
        let mut at = 0;
        let held = stage.held(stream);
        assert_eq!(held.len(), whole, "{file}");
        for (number, _) in held {
            let name = format!("{stream}-{number}.mkv");
            let chunk = std::fs::read(saved.join(&name)).unwrap();
            assert_eq!(chunk, bytes[at..at + chunk.len()], "{name} is not the next chunk of {file}");
            at += chunk.len();
            assert!(bytes.len() == at || bytes[at..].starts_with(&[0x1A, 0x45, 0xDF, 0xA3]), "{name}");
            left.retain(|known| *known != name);
            // The media of the synthetic recording are random bytes.
            if ffprobe && stream != "connect" {
                probe(&saved.join(name));
            }
        }
    }
    assert!(left.is_empty(), "files that were not sent: {left:?}");
}

fn probe(file: &Path) {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_type", "-count_packets", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("video"), "{}: {said}", file.display());
}
