use super::*;

#[test]
fn the_last_lines_of_a_long_log_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    assert!(read(&log).contains("cannot be read"));
    std::fs::write(&log, "").unwrap();
    assert_eq!(read(&log), "(the log is empty)");
    std::fs::write(&log, "one\ntwo\n").unwrap();
    assert_eq!(read(&log), "one\ntwo");
    let lines: Vec<String> = (0..10_000).map(|index| format!("line {index} {}", "x".repeat(100))).collect();
    std::fs::write(&log, lines.join("\n")).unwrap();
    assert_eq!(read(&log), lines[10_000 - LINES_MAX..].join("\n"));
}

#[test]
fn each_thread_counts_its_own_workers() {
    let count = || std::thread::spawn(|| [next_worker_number(), next_worker_number()]).join();
    assert!((0..2).all(|_| count().is_ok_and(|numbers| numbers == [1, 2])));
}
