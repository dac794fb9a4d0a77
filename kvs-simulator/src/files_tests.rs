#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn only_regular_files_are_read_and_only_up_to_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (file, said) in [(Path::new("/dev/zero"), "a device"), (&pipe, "a pipe"), (folder.path(), "a folder")] {
        let error = read(file, SMALL_MAX_BYTES).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("a regular file is expected"), "{error}");
    }
    let file = folder.path().join("file");
    std::fs::write(&file, b"12345").unwrap();
    assert_eq!(read(&file, 5).unwrap(), b"12345");
    let error = read(&file, 4).unwrap_err().to_string();
    assert_eq!(error, "is larger than 4 bytes, the limit for such files");
    // A sparse file is refused by its size without reading it; a file that reports no size is read up to the limit.
    File::create(&file).unwrap().set_len(MEDIA_MAX_BYTES + 1).unwrap();
    assert!(read(&file, MEDIA_MAX_BYTES).is_err());
    assert!(!read(Path::new("/proc/self/status"), SMALL_MAX_BYTES).unwrap().is_empty());
    assert!(read(Path::new("/proc/self/status"), 10).is_err());
}
