#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::{WorkerConfig, check};

/// Values that are hard to recognize in a text, and wrong for every setting that is checked.
const SECRETS: [&str; 9] = [
    "qu\"ote-K9x",
    "back\\slash-K9x",
    "line\nend-K9x",
    "tab\tstop-K9x",
    "combi\u{301}ning-K9x",
    "  outer-K9x  ",
    "UPPER-K9x/%20",
    "1\u{202e}-K9x",
    "http://user:pass word-K9x@host K9x",
];
/// Parts that would reveal them, and that no error contains otherwise.
const TRACES: [&str; 10] = ["K9x", "k9x", "quote-", "qu\\\"", "back", "line", "tab", "combi", "outer", "UPPER"];

fn worker(folder: &std::path::Path) -> WorkerConfig {
    let flags = [
        ("bootstrap.servers", "k:9092".to_owned()),
        ("config.providers.dir.param.allowed.paths", folder.display().to_string()),
        ("memory.budget.size.bytes", "2000000".to_owned()),
    ];
    let flags = flags.map(|(key, value)| (key.to_owned(), value));
    crate::config::worker::load(None, &flags).unwrap()
}

fn settings() -> BTreeMap<String, String> {
    let settings = [
        ("name", "c"),
        ("connector.class", connector::CLASS),
        ("kvs.streams", "a"),
        ("topic", "t"),
        ("kvs.region", "r"),
    ];
    settings.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn leaks(said: &str, path: &str) -> bool {
    let said = said.replace(path, "");
    // Docs mention lines, tables and backfills, and errors of what cannot be combined: only these parts with their
    // surroundings count.
    TRACES.iter().any(|trace| match *trace {
        "back" => said.contains("back\\") || said.contains("slash-"),
        "combi" => said.replace("combined", "").contains("combi"),
        "line" => said.contains("line\n") || said.contains("line\\") || said.contains("end-"),
        "tab" => said.contains("tab\t") || said.contains("tab\\") || said.contains("stop-"),
        trace => said.contains(trace),
    })
}

/// Each setting is set by a reference to each of these values, beside settings that do not fit it.
#[test]
fn no_problem_shows_a_resolved_value_in_any_form() {
    let folder = tempfile::tempdir().unwrap();
    let (worker, path) = (worker(folder.path()), folder.path().display().to_string());
    let reference = format!("${{dir:{path}:secret}}");
    let (mut told, mut names) = (0, 0);
    for secret in SECRETS {
        std::fs::write(folder.path().join("secret"), secret).unwrap();
        for key in table::connector().map(|key| key.name).chain(["topic.creation.default.retention.ms"]) {
            for beside in
                [&[][..], &[("kvs.start.timestamp", "x"), ("kvs.backfill.to", "1"), ("kvs.role.external.id", "e")]]
            {
                let mut settings = settings();
                settings.extend(beside.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
                settings.insert(key.to_owned(), reference.clone());
                let Err(problems) = check::connector(Some(&worker), "c.json", &settings) else { continue };
                let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
                let said = said.join("; ");
                assert!(!leaks(&said, &path), "{key}={secret:?}: {said}");
                told += 1;
                names += usize::from(said.contains(&reference));
            }
        }
    }
    assert!(told > 300 && names > 150, "{told} were refused, {names} with the reference");
}

/// The problem of one setting may depend on another one's value.
#[test]
fn a_problem_of_another_setting_does_not_reveal_a_hidden_value() {
    let folder = tempfile::tempdir().unwrap();
    let worker = worker(folder.path());
    let reference = format!("${{dir:{}:secret}}", folder.path().display());
    let said = |value: &str, pairs: &[(&str, &str)]| {
        std::fs::write(folder.path().join("secret"), value).unwrap();
        let mut settings = settings();
        settings.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let problems = check::connector(Some(&worker), "c.json", &settings).unwrap_err();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let start = [("kvs.start.position", reference.as_str()), ("kvs.start.timestamp", "5")];
    let text = said("FRAGMENT_NUMBER", &start);
    assert!(text.contains("kvs.start.timestamp: is not valid together with the hidden value of kvs.start.position"));
    assert!(!text.contains("kvs.start.position=FRAGMENT_NUMBER"), "{text}");
    // A problem that has nothing to do with it is reported as usual.
    let text = said("eu-west-1", &[("kvs.region", reference.as_str()), ("kvs.stream", "a"), ("tasks.max", "x")]);
    assert!(text.contains("the nearest known one is kvs.streams") && text.contains("\"x\": a whole number"), "{text}");
    // A comparison with the worker's settings does not reveal it either.
    let text = said("1999999999", &[("kvs.fragment.max.size.bytes", reference.as_str())]);
    assert!(text.contains(&reference) && !text.contains("1999999999"), "{text}");
    let text = said("3000000", &[("kvs.fragment.max.size.bytes", reference.as_str())]);
    assert!(text.contains(&reference) && !text.contains("3000000"), "{text}");
    // A plain secret is hidden, too.
    let text = said("", &[("kvs.proxy.url", "ftp://user:clear\"text@host")]);
    assert!(text.contains("http://host:port") && !text.contains("clear"), "{text}");
}
