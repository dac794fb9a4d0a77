//! Commands that go on and on: what becomes of the topic meanwhile, and of the player.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use kvs_harness::process::{self, Process};
use kvs_harness::topic::read_records;
use kvs_harness::{Kafka, wait_for};
use tempfile::TempDir;

use crate::export::published;
use crate::stage::program;
use crate::verify::{copy_to, run, text};

/// A command that runs until the test ends, with what it prints.
struct Running {
    folder: TempDir,
    _process: Process,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        Self { _process: Process::start(command), folder }
    }

    fn printed(&self, name: &str) -> String {
        text(&std::fs::read(self.folder.path().join(name)).unwrap())
    }

    fn wait_for_output(&self, what: &str, holds: impl Fn(&str) -> bool) {
        wait_for(what, || holds(&self.printed("out")));
    }

    fn wait_for_error(&self, says: &str) {
        wait_for(&format!("the command to say {says:?}"), || self.printed("err").contains(says));
    }
}

fn command(kafka: &Kafka, name: &str, topic: &str) -> Command {
    let mut command = process::command(program());
    command.args([name, "--bootstrap-servers", kafka.bootstrap(), "--topic", topic]);
    command
}

#[test]
fn added_partitions_are_read_and_a_deleted_topic_is_said() {
    let (kafka, stage, _worker) = published("following");
    let records = read_records(kafka.bootstrap(), &stage.topic());
    let topic = format!("{}-followed", stage.name);
    kafka.create_topic(&topic, 1, &[]);
    copy_to(kafka, &topic, &records[..1], |_| 0);

    let mut tail = command(kafka, "tail", &topic);
    tail.args(["--from", "beginning", "--json", "--follow"]);
    let tail = Running::start(tail);
    tail.wait_for_output("the first record", |out| out.lines().count() == 1);
    // Of a topic of one partition the client says only once that it is gone.
    let lone = format!("{}-lone", stage.name);
    kafka.create_topic(&lone, 1, &[]);
    copy_to(kafka, &lone, &records[..1], |_| 0);
    let mut stats = command(kafka, "tail", &lone);
    stats.args(["--from", "beginning", "--stats"]);
    let stats = Running::start(stats);
    stats.wait_for_output("the first record's stream", |out| out.contains("door "));
    // A name that the topic does not have.
    let mut play = command(kafka, "play", &topic);
    play.args(["--stdout", "--last", "1h", "dor"]);
    let play = Running::start(play);
    play.wait_for_error("no fragment of stream dor for 20 s; the topic has door; waiting");

    kafka.add_partitions(&topic, 2);
    copy_to(kafka, &topic, &records[1..], |_| 1);
    tail.wait_for_output("the records of the added partition", |out| out.lines().count() == records.len());
    assert!(tail.printed("err").contains("partition 1 was added, and is read, too"));

    kafka.delete_topic(&topic);
    kafka.delete_topic(&lone);
    for following in [&tail, &play, &stats] {
        following.wait_for_error("it was deleted while it was read; waiting until it is created again, or Ctrl-C");
    }
}

#[test]
fn play_ends_with_its_player_and_says_how_that_has_failed() {
    let (kafka, stage, _worker) = published("player");
    let player = stage.folder.path().join("ffplay");
    let play = |does: &str| {
        std::fs::write(&player, format!("#!/bin/sh\n{does}\n")).unwrap();
        std::fs::set_permissions(&player, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut play = command(kafka, "play", &stage.topic());
        let path = format!("{}:{}", stage.folder.path().display(), std::env::var("PATH").unwrap());
        play.args(["--until-end", "--last", "1h", "door"]).env("PATH", path);
        let output = run(play);
        (output.status.code(), text(&output.stderr))
    };
    let shown = stage.folder.path().join("shown.mkv");
    // It is told to end with its input.
    let (code, said) = play(&format!("echo \"$@\" >&2; cat > '{}'", shown.display()));
    assert!(code == Some(0) && said.contains("-autoexit"), "{code:?}: {said}");
    assert!(std::fs::metadata(&shown).unwrap().len() > 10_000);
    let (code, said) = play("exit 3");
    assert!(code == Some(69) && said.contains("ffplay has ended with exit status: 3"), "{code:?}: {said}");
    // Closed by its user.
    let (code, said) = play("head -c 100 >/dev/null");
    assert!(code == Some(0), "{code:?}: {said}");
}
