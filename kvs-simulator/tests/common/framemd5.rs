//! The content of a media file according to ffmpeg: every packet and every decoded frame, with time and digest.
#![allow(dead_code, missing_docs, unreachable_pub)]

use std::path::Path;
use std::process::Command;

/// Returns packets and decoded frames in the format of ffmpeg's framemd5: time base, codec, size and aspect ratio of each
/// track, then one line per packet or frame. Subtitles are not decoded.
pub fn packets_and_frames(file: &Path, scratch: &Path) -> (String, String) {
    let name = file.file_name().unwrap().to_string_lossy();
    let (packets, frames) = (scratch.join(format!("{name}.packets")), scratch.join(format!("{name}.frames")));
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-threads", "1", "-i"])
        .arg(file)
        .args(["-map", "0:v?", "-map", "0:a?", "-map", "0:s?", "-c", "copy", "-f", "framemd5"])
        .arg(&packets)
        .args(["-map", "0:v?", "-map", "0:a?", "-f", "framemd5"])
        .arg(&frames)
        .output()
        .expect("ffmpeg is installed: apt-get install ffmpeg");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let read = |file: &Path| {
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().filter(|line| !line.starts_with("#software")).fold(String::new(), |all, line| all + line + "\n")
    };
    (read(&packets), read(&frames))
}

/// Asserts that two files hold the same packets and frames, and some of each.
pub fn compare(original: &Path, other: &Path, scratch: &Path) {
    let (was, is) = (packets_and_frames(original, scratch), packets_and_frames(other, scratch));
    for (what, was, is) in [("packets", was.0, is.0), ("frames", was.1, is.1)] {
        let file = original.display();
        assert!(was.lines().any(|line| !line.starts_with('#')), "{file} has no {what}");
        let differs = was.lines().zip(is.lines()).find(|(was, is)| was != is);
        assert!(
            was == is,
            "{file}: {what} differ: {} lines, {} lines, first {differs:?}",
            was.lines().count(),
            is.lines().count()
        );
    }
}

/// Returns whether these programs are installed. Prints that the test is skipped if they are not, and fails in CI.
pub fn are_there(programs: &[&str]) -> bool {
    let missing: Vec<&&str> =
        programs.iter().filter(|name| Command::new(name).arg("-version").output().is_err()).collect();
    if !missing.is_empty() {
        assert!(std::env::var_os("CI").is_none(), "{missing:?} not found; apt-get install ffmpeg mkvtoolnix");
        println!("SKIPPED: {missing:?} not found (apt-get install ffmpeg mkvtoolnix), so no media are compared");
    }
    missing.is_empty()
}
