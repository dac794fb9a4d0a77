#![allow(clippy::unwrap_used)]

use super::super::headers::tests::call;
use super::*;
use crate::config::connector::from_settings;

fn routing(more: &[(&str, &str)]) -> RoutingConfig {
    let common = [
        ("name", "c"),
        ("connector.class", "KinesisVideoSourceConnector"),
        ("kvs.streams", "door"),
        ("topic", "fragments"),
    ];
    let settings = common.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    from_settings("c.json", &settings).unwrap().routing
}

#[test]
fn a_fragment_is_reduced_to_the_tracks_that_are_published() {
    let fragment = call("17", &[("site", "a")]);
    for (settings, expected) in [
        (("tracks", "FROM"), Some(vec![1])),
        (("tracks", "audio"), None),
        (("tracks.exclude", "1"), Some(vec![2])),
        (("tracks.exclude", "video"), None),
    ] {
        let reduced = reduced(&fragment, &routing(&[settings])).unwrap();
        let numbers = |part: &Fragment| part.tracks.iter().map(|track| track.number).collect::<Vec<_>>();
        assert_eq!(reduced.as_ref().map(numbers), expected, "{settings:?}");
        assert!(reduced.is_none_or(|part| part.tags().count() == 1 && part.frames.len() == 1));
    }
    let error = reduced(&fragment, &routing(&[("tracks", "FROM"), ("tracks.exclude", "FROM")])).unwrap_err();
    assert!(
        error.to_string().ends_with("none of its tracks is chosen; it has FROM (audio, number 1), 2 (audio, number 2)")
    );
}

#[test]
fn parts_are_named_after_their_tracks() {
    let fragment = call("17", &[]);
    assert_eq!(labels(&fragment), ["FROM", "2"]);
    let parts = parts_by_track(&fragment).unwrap();
    let shown: Vec<(&str, u64, usize)> = parts
        .iter()
        .map(|part| (part.label.as_str(), part.fragment.frames[0].track, part.fragment.frames.len()))
        .collect();
    assert_eq!(shown, [("FROM", 1, 1), ("2", 2, 1)]);
}
