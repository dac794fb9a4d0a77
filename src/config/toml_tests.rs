use super::*;

#[test]
fn a_duplicate_key_in_two_spellings_is_refused() {
    let (settings, problems) = parse("\"group.id\" = \"a\"\n[group]\nid = \"b\"\n");
    assert_eq!(settings.len(), 1);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].0 == "group.id" && problems[0].1.contains("set twice"), "{problems:?}");
    let (_, problems) = parse("\"a.b.c\" = 1\na.\"b.c\" = 1\n[a.b]\nc = 1\n");
    assert_eq!(problems.len(), 2, "{problems:?}");
    let (settings, problems) = parse("\"group.id\" = \"a\"\n[group]\n\"instance.id\" = \"b\"\n");
    assert_eq!((settings.len(), problems.len()), (2, 0));
}

#[test]
fn values_that_are_neither_text_nor_number_are_described_in_toml_terms() {
    let text = "a.date = 2024-05-01\na.time = 07:32:00\na.both = 1979-05-27T07:32:00Z\na.list = [\"very-secret\", 1]\n\
        a.number = 7\na.fraction = 1.5\na.yes = true\n";
    let (settings, problems) = parse(text);
    let settings: Vec<_> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(settings, [("a.fraction", "1.5"), ("a.number", "7"), ("a.yes", "true")]);
    let keys: Vec<_> = problems.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["a.both", "a.date", "a.list", "a.time"]);
    for (key, reason) in &problems {
        assert!(reason.starts_with("text, a number, true or false was expected, not a "), "{key}: {reason}");
        assert!(!reason.contains("private") && !reason.contains("very-secret"), "{key}: {reason}");
    }
    assert_eq!(parse("a = ").1.len(), 1);
}
