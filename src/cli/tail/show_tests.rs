use super::*;

fn fragment(stream: &str, number: &str) -> Fragment {
    Fragment {
        sequence: None,
        stream: stream.to_owned(),
        number: number.to_owned(),
        producer_ms: None,
        complete: true,
        random_access: None,
        discontinuity: None,
        duration_ns: 0,
        frames: 0,
        size_bytes: 5,
        payload: Some(b"media".to_vec()),
        ..Fragment::default()
    }
}

#[test]
fn a_fragment_is_saved_under_its_name_or_the_error_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    // A record's content must not decide where a file is written.
    for (stream, number) in [("../door", "7"), ("", "7"), ("door", "7/8"), ("door", "")] {
        let error = save(folder.path(), &fragment(stream, number)).unwrap_err();
        assert!(matches!(error, SaveError::FileName { .. }), "{error}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    save(folder.path(), &fragment("door", "7")).unwrap();
    assert!(folder.path().join("door-7.mkv").is_file());
    match save(&folder.path().join("none"), &fragment("door", "7")).unwrap_err() {
        SaveError::Write { file, source } => {
            assert_eq!((file, source.kind()), (folder.path().join("none/door-7.mkv"), std::io::ErrorKind::NotFound));
        }
        error => panic!("{error}"),
    }
    let metadata = Fragment { payload: None, ..fragment("door", "8") };
    let error = save(folder.path(), &metadata).unwrap_err();
    assert!(matches!(error, SaveError::NoMedia { .. }), "{error}");
    assert!(!folder.path().join("door-8.mkv").exists());
}

#[test]
fn the_lag_of_any_record_can_be_shown() {
    assert_eq!(lag_ms(5_000, 3_000), 2_000);
    assert_eq!((lag_ms(5_000, i64::MIN), lag_ms(5_000, i64::MAX)), (i64::MAX, 0));
}

#[test]
fn a_row_names_what_a_decoder_has_to_know() {
    let row = |fragment: &Fragment| Printer::new(false, false).row(fragment, None);
    let earlier = row(&fragment("door", "7"));
    assert!(!earlier.contains("random access") && !earlier.contains("discontinuity"), "{earlier}");
    let begins = Fragment { random_access: Some(true), discontinuity: Some(false), ..fragment("door", "7") };
    assert!(!row(&begins).contains("random access") && !row(&begins).contains("discontinuity"), "{}", row(&begins));
    let breaks = Fragment { random_access: Some(false), discontinuity: Some(true), complete: false, ..begins };
    assert!(row(&breaks).ends_with("  incomplete  discontinuity  no random access"), "{}", row(&breaks));
    // What a record says must not control the terminal.
    let wild = row(&fragment("\u{1b}[31mred\u{7}\r\n", "7\u{1b}"));
    assert!(!wild.trim_end().lines().next_back().unwrap().chars().any(char::is_control), "{wild:?}");
    for line in [
        frame_line(&json!({"stream_name": "a\u{1b}", "codec": "b\u{7}"})),
        notification_line(&json!({"kind": "a\n", "message": "b\r"})),
    ] {
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}
