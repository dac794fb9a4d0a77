#![allow(clippy::unwrap_used)]

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::*;

fn said(file: &Path) -> String {
    read(file).unwrap_err().to_string()
}

#[test]
fn only_regular_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let link = folder.path().join("link");
    symlink(&fifo, &link).unwrap();
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let cases: [(PathBuf, &str); 6] = [
        (fifo, "a pipe"),
        (link, "a pipe"),
        ("/dev/zero".into(), "a device"),
        ("/dev/full".into(), "a device"),
        (socket, "a socket"),
        (folder.path().to_owned(), "a folder"),
    ];
    for (file, what) in cases {
        let said = said(&file);
        assert!(said.contains(what) && said.contains("a regular file was expected"), "{}: {said}", file.display());
    }
}

#[test]
fn the_size_of_a_file_is_limited() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, vec![b'a'; FILE_MAX_BYTES as usize]).unwrap();
    assert_eq!(read(&file).unwrap().len() as u64, FILE_MAX_BYTES);
    std::fs::write(&file, vec![b'a'; FILE_MAX_BYTES as usize + 1]).unwrap();
    assert!(said(&file).contains("larger than 1048576 bytes"), "{}", said(&file));
    std::fs::write(&file, vec![b'a'; 2 << 20]).unwrap();
    assert!(said(&file).contains("larger than 1048576 bytes"), "{}", said(&file));
    // Files of the kernel report a size of 0, but are not empty.
    assert!(!read(Path::new("/proc/self/status")).unwrap().is_empty());
}

#[test]
fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let none = said(&folder.path().join("none"));
    assert!(none.contains("No such file") && none.contains("on the worker's machine"), "{none}");
    let refused = FileError::Refused { error: ErrorKind::PermissionDenied.into() }.to_string();
    assert!(refused.contains("permission denied") && refused.contains("allow the user"), "{refused}");
    let file = folder.path().join("file");
    std::fs::write(&file, b"\xff\xfe").unwrap();
    assert!(read_text(&file).unwrap_err().to_string().contains("UTF-8"));
    std::fs::write(&file, "text").unwrap();
    assert_eq!(read_text(&file).unwrap(), "text");
}

#[test]
fn a_missing_file_on_the_command_line_is_reported_with_its_folder() {
    let typed = |file: &Path| read(file).unwrap_err().on_command_line(file);
    let folder = std::env::current_dir().unwrap();
    let said = typed(Path::new("no-such-file.json"));
    assert!(said.ends_with(&format!("(os error 2); it was looked for in {}", folder.display())), "{said}");
    assert!(typed(Path::new("/no-such-file.json")).ends_with("(os error 2)"));
    assert!(typed(Path::new("/dev/zero")).contains("a device"));
}
