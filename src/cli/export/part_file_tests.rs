#![allow(clippy::unwrap_used)]

use std::io::Write;

use super::*;

/// Programs in containers all have the number 1: what tells their files apart is not who writes them.
#[test]
fn each_writes_a_file_of_its_own_and_the_last_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("door.mkv");
    let parts: Vec<PartFile> = (0..3).map(|_| PartFile::beside(&target, "mkv").unwrap()).collect();
    for (index, part) in parts.iter().enumerate() {
        part.create().unwrap().write_all(format!("file {index}").as_bytes()).unwrap();
        assert!(part.create().is_err(), "nobody else's file is taken");
    }
    assert!(!target.exists());
    let [first, second, third] = <[PartFile; 3]>::try_from(parts).ok().unwrap();
    second.complete().unwrap();
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "file 1");
    drop(third);
    first.complete().unwrap();
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "file 0");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // What is complete is not taken back by a signal.
    assert_eq!(remove_unfinished(), Told::IsDone);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "file 0");
}
