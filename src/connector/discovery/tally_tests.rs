#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;

fn discovery(prefix: Option<&str>, tags: &[(&str, Option<&str>)]) -> Discovery {
    let own = |(key, value): &(&str, Option<&str>)| ((*key).to_owned(), value.map(str::to_owned));
    Discovery {
        prefix: prefix.map(str::to_owned),
        regex: None,
        tags: tags.iter().map(own).collect(),
        interval: Duration::from_secs(60),
    }
}

fn tally(listed: usize, ready: usize, named: usize, here: usize, tagged: usize) -> Tally {
    Tally { listed, ready, named, here, tagged }
}

#[test]
fn what_finds_nothing_says_how_far_it_got() {
    let any = discovery(None, &[("site:berlin", None)]);
    let cams = discovery(Some("cam-"), &[("site", Some("berlin"))]);
    for (found, conditions, expected) in [
        (tally(0, 0, 0, 0, 0), &any, "the service lists no streams in this account and region"),
        (tally(0, 0, 0, 0, 0), &cams, "no streams whose names begin with \"cam-\" in this account"),
        (tally(1, 0, 0, 0, 0), &any, "1 stream is listed, but none is ACTIVE"),
        (tally(4, 3, 0, 0, 0), &cams, "4 streams are listed whose names begin with \"cam-\", but no name matches"),
        (
            tally(4, 3, 2, 2, 0),
            &any,
            "4 streams are listed, 2 of them with matching names, but none has a tag \"site:berlin\" (",
        ),
        (tally(4, 3, 2, 2, 0), &cams, "none has the tag \"site\" with the value \"berlin\" (kvs.streams.tags)"),
    ] {
        let nothing = found.nothing(conditions).unwrap();
        assert!(nothing.everywhere && nothing.reason.contains(expected), "{nothing:?}");
    }
}

#[test]
fn a_worker_with_some_of_the_shards_does_not_speak_for_the_others() {
    let conditions = discovery(None, &[("site", None)]);
    let nothing = tally(9, 9, 7, 3, 0).nothing(&conditions).unwrap();
    assert!(!nothing.everywhere, "{nothing:?}");
    assert!(nothing.reason.contains("of the 3 in this worker's shards none"), "{nothing:?}");
    assert_eq!(tally(9, 9, 7, 0, 0).nothing(&conditions), None);
    assert_eq!(tally(9, 9, 7, 7, 1).nothing(&conditions), None);
}
