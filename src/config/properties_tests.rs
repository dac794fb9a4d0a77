use super::*;

#[test]
fn properties_are_read_as_java_reads_them() {
    let text = "# a comment\n! another = one\n\n  group.id = cameras \\\n      of berlin\nkey:value\nspaced\\ key and value\n\
        escaped=tab\\tline\\n\\u00e4\\\\ \\=\nempty=\npath=C\\:\\\\x\ntrailing = kept  \nplain=ä\n";
    let read = parse(text).unwrap();
    let expected = [
        ("escaped", "tab\tline\nä\\ ="),
        ("empty", ""),
        ("group.id", "cameras of berlin"),
        ("key", "value"),
        ("path", "C:\\x"),
        ("plain", "ä"),
        ("spaced key", "and value"),
        ("trailing", "kept  "),
    ];
    let expected: BTreeMap<String, String> =
        expected.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    assert_eq!(read, expected);
}

#[test]
fn a_duplicate_key_or_a_broken_escape_is_refused() {
    assert!(parse("a=1\nb=2\na=3\n").unwrap_err()[0].1.contains("the second time in line 3"));
    assert!(parse("a=\\u00zz\n").unwrap_err()[0].1.contains("not Java properties"));
}

#[test]
fn text_that_looks_like_properties_gets_a_hint() {
    assert!(is_name(Path::new("/x/worker.properties")) && !is_name(Path::new("worker.toml")));
    assert!(hint("# x\nbootstrap.servers=localhost:9092\n").contains("*.properties"));
    assert_eq!(hint("bootstrap.servers = \"localhost:9092\"\n"), "");
    assert_eq!(hint("{\"name\": \"a.b=c\"}"), "");
}

#[test]
fn text_that_is_not_json_gets_a_hint_about_connector_files() {
    for text in ["bootstrap.servers = \"a:1\"\n", "# cameras\nname=cameras\n", ""] {
        let hint = hint_for_connectors(text);
        assert!(hint.contains("*.properties") && hint.contains("--worker"), "{hint}");
    }
    assert_eq!(hint_for_connectors(" {\"name\": 1,"), "");
}
