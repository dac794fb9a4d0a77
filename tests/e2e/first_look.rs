//! The first example of docs/RECORDS.md: a consumer that saves fragments, without a schema registry.

use std::path::Path;
use std::process::Command;

use kvs_harness::process::{Process, command};
use kvs_harness::{Kafka, wait_for};
use kvs_simulator::Pace;

use crate::stage::Stage;

#[test]
fn the_first_example_saves_every_fragment_as_a_file() {
    let (kafka, stage) = (Kafka::shared(), Stage::new("saves-files"));
    stage.add("door", &stage.recording(5, 3, 2_000), 1, Pace::Max);
    let mut worker = stage.start(&stage.worker(kafka), &stage.connector(&["door"]));
    worker.wait_healthy();
    stage.expect_all(kafka, &["door"]);

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_to_string(root.join("docs/RECORDS.md")).unwrap();
    let (_, from) = docs.split_once("## A first look").unwrap();
    let (_, from) = from.split_once("```python\n").unwrap();
    let mut example = from.split_once("```").unwrap().0.to_owned();
    let schema = root.join("schemas/fragment.avsc").display().to_string();
    for (text, ours) in [
        ("localhost:9092", kafka.bootstrap()),
        ("kvs.fragments", &stage.topic()),
        ("schemas/fragment.avsc", &schema),
        ("first-look", &format!("{}-python", stage.group())),
    ] {
        assert!(example.contains(text), "{text}");
        example = example.replace(text, ours);
    }
    let python = Command::new(root.join("dev/sdks")).arg("registry-python").output().unwrap();
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let mut consumer = command(String::from_utf8(python.stdout).unwrap().trim());
    let saved = stage.folder.path().join("saved");
    std::fs::create_dir(&saved).unwrap();
    consumer.args(["-c", &example]).current_dir(&saved);
    // It reads until it is stopped.
    let _consumer = Process::start(consumer);
    for (number, _) in stage.held("door") {
        let file = saved.join(format!("door-{number}.mkv"));
        let whole = || kvs_mkv::Splitter::default().push(&mut std::fs::read(&file).unwrap_or_default().as_slice());
        wait_for(
            "the file",
            || matches!(whole(), Ok(Some(kvs_mkv::Event::Fragment(fragment))) if fragment.number.as_str() == number),
        );
    }
}
