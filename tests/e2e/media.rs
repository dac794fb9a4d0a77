//! Unusual media, published and saved as files again: packets and decoded frames stay the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use kvs_harness::Kafka;
use kvs_simulator::Pace;

use crate::framemd5;
use crate::stage::{Stage, program};

#[test]
fn unusual_media_are_published_unaltered() {
    let Some(recordings) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there are no odd files beside it");
        return;
    };
    if !framemd5::are_there(&["ffmpeg"]) {
        return;
    }
    let (kafka, stage) = (Kafka::shared(), Stage::new("media"));
    let files: Vec<(String, PathBuf)> = std::fs::read_dir(Path::new(&recordings).join("../odd"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "mkv"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    assert!(files.len() >= 9, "{files:?}");
    let streams: Vec<&str> = files.iter().map(|(stream, _)| stream.as_str()).collect();
    for (stream, file) in &files {
        stage.add(stream, file, 1, Pace::Max);
    }
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&streams));
    worker.wait_healthy();
    stage.expect_all(kafka, &streams);

    let saved = stage.folder.path().join("saved");
    let tail = Command::new(program())
        .args(["tail", "--bootstrap-servers", kafka.bootstrap(), "--topic", &stage.topic()])
        .args(["--from", "beginning", "--until-end", "--json", "--save"])
        .arg(&saved)
        .output()
        .unwrap();
    assert!(tail.status.success(), "{}", String::from_utf8_lossy(&tail.stderr));
    for (stream, file) in &files {
        let chunks = stage.held(stream).into_iter().map(|(number, _)| saved.join(format!("{stream}-{number}.mkv")));
        let media: Vec<u8> = chunks.flat_map(|chunk| std::fs::read(chunk).unwrap()).collect();
        let joined = stage.folder.path().join(format!("{stream}.joined"));
        std::fs::write(&joined, media).unwrap();
        framemd5::compare(file, &joined, stage.folder.path());
    }
}
