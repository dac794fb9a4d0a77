#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::connector::CLASS;

/// Returns the problem with `kvs.fragment.max.size.bytes`, with a budget of 100 MB; `None`: the settings are right.
fn problem(more: &[(&str, &str)]) -> Option<String> {
    let text = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    let flags = [("bootstrap.servers", "k:9092"), ("memory.budget.size.bytes", "100000000")];
    let worker = crate::config::worker::load(None, &flags.each_ref().map(text)).unwrap();
    let own = [
        ("name", "c"),
        ("connector.class", CLASS),
        ("kvs.streams", "a"),
        ("topic", "t"),
        ("kvs.region", "eu-central-1"),
    ];
    let settings = own.iter().chain(more).map(text).collect();
    let problems = connector(Some(&worker), "c.json", &settings).err()?;
    assert!(problems.len() == 1 && problems[0].key == "kvs.fragment.max.size.bytes", "{problems:?}");
    Some(problems[0].reason.clone())
}

/// Else a fragment would wait for memory for ever, or the budget would be none.
#[test]
fn the_largest_fragment_fits_into_the_budget_as_often_as_it_is_in_memory() {
    assert_eq!(problem(&[]), None);
    let reason = problem(&[("kvs.fragment.max.size.bytes", "100000001")]).unwrap();
    assert_eq!(reason, "100000001 is more than the worker's memory.budget.size.bytes, 100000000");
    for (copies, setting) in [
        (&[("frames.topic", "f")][..], "frames.topic"),
        (&[("tracks", "1")], "tracks"),
        (&[("topic", "t.${track}")], "topic"),
        (&[("payload.mode", "chunked"), ("payload.chunk.topic", "p")], "payload.mode"),
    ] {
        let reason = problem(copies).unwrap();
        let expected =
            format!("67108864, twice, is more than the worker's memory.budget.size.bytes, 100000000: {setting} copies");
        assert!(reason.starts_with(&expected), "{reason}");
        assert_eq!(problem(&[copies, &[("kvs.fragment.max.size.bytes", "50000000")]].concat()), None);
    }
    assert_eq!(problem(&[("frames.topic", "f"), ("frames.payload.mode", "none")]), None);
}
