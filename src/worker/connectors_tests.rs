use super::*;

fn run(everywhere: bool, has_tasks: bool, trouble: Option<&str>) -> Option<String> {
    let nothing = Nothing { reason: "none has the tag".to_owned(), everywhere };
    let entry = Entry {
        settings: Settings::new(),
        home: OffsetsHome::default(),
        cancel: CancellationToken::new(),
        wake: Arc::default(),
        failed: None,
        trouble: trouble.map(str::to_owned),
        nothing: Some(nothing),
        has_tasks,
        outputs: None,
        looked: None,
    };
    entry.trouble()
}

#[test]
fn a_worker_that_finds_nothing_on_its_shards_is_silent_where_others_have_found_streams() {
    let said = Some("no streams are found: none has the tag".to_owned());
    assert_eq!(run(true, false, None), said);
    assert_eq!(run(true, true, None), said);
    assert_eq!(run(false, false, None), said);
    assert_eq!(run(false, true, None), None);
    // A reason why streams cannot be discovered at the moment comes first.
    assert_eq!(run(true, false, Some("refused")), Some("refused".to_owned()));
}
