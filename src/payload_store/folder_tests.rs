//! Folders that cannot be written, each in a process of its own, which the kernel refuses what it asks.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::tests::{NoCredentials, block_on, config};
use super::*;

/// Names the folder to the process that writes.
const FOLDER: &str = "KVS_TEST_PAYLOAD_FOLDER";

/// The process that writes.
#[test]
#[ignore = "is run by other tests, in a process of its own"]
fn writes_where_it_is_told() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let store = PayloadStore::open(&config(&format!("file://{folder}"), None), Arc::new(NoCredentials));
    let written = store.and_then(|store| block_on(store.put(&["17.mkv"], vec![Bytes::from(vec![7; 4 << 20])])));
    match written {
        Ok(stored) => println!("WRITTEN {}", stored.uri),
        Err(error) => println!("FAILED {:?} {error}", error.kind),
    }
}

/// Runs that process behind `launcher` and returns what it says.
fn write(launcher: &[&str], folder: &Path) -> String {
    let (program, arguments) = launcher.split_first().unwrap();
    let output = Command::new(program)
        .args(arguments)
        .arg(std::env::current_exe().unwrap())
        .args(["payload_store::folder_tests::writes_where_it_is_told", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line =
        said.lines().find_map(|line| line.find("FAILED ").or(line.find("WRITTEN ")).map(|at| line[at..].to_owned()));
    line.unwrap_or_else(|| panic!("{said} {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_full_disk_leaves_no_half_object() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("17.mkv"), "as before").unwrap();
    // With the signal ignored, writing fails as on a disk that is full, or has a quota.
    let limited = ["prlimit", "--fsize=1000000", "sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];
    let said = write(&limited, folder.path());
    assert!(said.starts_with("FAILED Full cannot write file:///") && said.contains("; make room"), "{said}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["17.mkv"]);
    assert_eq!(std::fs::read(folder.path().join("17.mkv")).unwrap(), b"as before");
    // As soon as there is room, it is replaced.
    assert!(write(&["env"], folder.path()).starts_with("WRITTEN file:///"));
    assert_eq!(std::fs::metadata(folder.path().join("17.mkv")).unwrap().len(), 4 << 20);
}

#[test]
fn a_folder_that_must_not_be_written_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    // Root may write anywhere unless it gives that up.
    let unprivileged: &[&str] = match nix::unistd::geteuid().is_root() {
        true => &["setpriv", "--bounding-set=-dac_override,-dac_read_search"],
        false => &["env"],
    };
    let said = write(unprivileged, folder.path());
    assert!(said.starts_with("FAILED ReadOnly cannot write file:///"), "{said}");
    assert!(
        said.ends_with("; let the worker's user write to the folder: the stream then continues by itself"),
        "{said}"
    );
    let inner = folder.path().join("inner");
    let said = write(unprivileged, &inner);
    assert!(said.starts_with("FAILED ReadOnly cannot create the folder of payload.store.url file:///"), "{said}");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(write(unprivileged, &inner).starts_with("WRITTEN file:///"));
}
