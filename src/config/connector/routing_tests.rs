#![allow(clippy::unwrap_used)]

use crate::config::connector::from_settings;
use crate::config::{ConnectorConfig, Problem};
use crate::model::{Partitioning, RecordKey};

fn read(more: &[(&str, &str)]) -> Result<ConnectorConfig, Vec<Problem>> {
    let common = [
        ("name", "cameras"),
        ("connector.class", "KinesisVideoSourceConnector"),
        ("kvs.streams", "door"),
        ("topic", "fragments"),
    ];
    let settings = common.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    from_settings("c.json", &settings)
}

fn problem(more: &[(&str, &str)]) -> String {
    read(more).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn topics_may_be_templates() {
    let config = read(&[
        ("topic", "kvs.${connector}.${tag:site}"),
        ("metadata.topic", "${connector}.metadata"),
        ("frames.topic", "${stream}-${track}"),
    ])
    .unwrap();
    assert_eq!((config.topic.text(), config.topic.fixed()), ("kvs.cameras.${tag:site}", None));
    assert_eq!(config.metadata_topic.unwrap().fixed(), Some("cameras.metadata"));
    assert!(config.frames.unwrap().topic.has_track());
}

#[test]
fn a_template_that_cannot_be_right_is_refused() {
    for (key, template, expected) in [
        ("topic", "a b", "is not a topic name"),
        (
            "topic",
            "${streams}",
            "${streams} is no variable; those are ${connector}, ${stream}, ${track} and ${tag:NAME}",
        ),
        ("topic", "kvs.${stream", "the brace of \"${stream\" is not closed"),
        ("topic", "kvs/${stream}", "is not a topic name"),
        ("topic", "${tag:site}", "must begin with text of its own, as in kvs.${tag:site}"),
        ("frames.topic", "${track}-frames", "must begin with text of its own"),
        ("metadata.topic", "meta.${track}", "must contain ${track} if topic does, and only then"),
    ] {
        let said = problem(&[(key, template)]);
        assert!(said.contains(&format!("{key}: ")) && said.contains(expected), "{key}={template}: {said}");
    }
    // The connector's name is part of it.
    let said = problem(&[("name", "Türen"), ("topic", "kvs.${connector}")]);
    assert!(said.contains("\"kvs.Türen\" cannot become a topic name"), "{said}");
}

#[test]
fn what_is_beside_values_is_chosen() {
    let config = read(&[
        ("tracks", "AUDIO_FROM_CUSTOMER,video"),
        ("tracks.exclude", "2"),
        ("record.key", "stream+fragment"),
        ("record.partition", "track"),
        ("record.header.site", "${tag:site}"),
        ("record.header.team", "vision"),
        ("record.cloudevents", "true"),
    ])
    .unwrap();
    let routing = config.routing;
    assert_eq!((routing.key, routing.partitioning), (RecordKey::StreamFragment, Partitioning::Track));
    assert_eq!((routing.cloudevents, routing.traceparent, routing.topics_max), (true, false, 1_000));
    let names: Vec<&str> = routing.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, routing.tracks.0.len(), routing.excluded.len()), (vec!["site", "team"], 2, 1));
    for (key, value, expected) in [
        ("record.header.kvs.stream", "x", "is a header that records have anyway"),
        ("record.header.Content-Type", "x", "is a header that records have anyway"),
        ("record.header.ce_id", "x", "is a header that records have anyway"),
        ("record.header.a", "${nothing}", "${nothing} is no variable"),
        ("record.key", "number", "one of fragment, stream, stream+fragment was expected"),
        ("tracks", ",", "the text is empty"),
        ("record.headers.a", "x", "unknown setting"),
    ] {
        let said = problem(&[(key, value)]);
        assert!(said.contains(key) && said.contains(expected), "{key}={value}: {said}");
    }
    // What looks like a reference to a secret is none.
    assert!(config.notes.is_empty(), "{:?}", config.notes);
}

#[test]
fn dead_letters_need_tolerance() {
    let topic = ("errors.deadletterqueue.topic.name", "dead");
    let said = problem(&[topic]);
    assert!(said.contains("errors.deadletterqueue.topic.name: needs errors.tolerance=all"), "{said}");
    let all = ("errors.tolerance", "all");
    let letters = read(&[topic, all, ("errors.deadletterqueue.context.headers.enable", "true")]).unwrap().dead_letters;
    let letters = letters.unwrap();
    assert_eq!((&*letters.topic, letters.replication_factor, letters.value_max_bytes), ("dead", None, 1_000_000));
    let said = problem(&[all, ("errors.deadletterqueue.value.max.bytes", "5")]);
    assert!(said.contains("has no effect without errors.deadletterqueue.topic.name"), "{said}");
}
