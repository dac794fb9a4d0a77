use super::*;
use crate::model::OutputId;

/// Adding an output takes a file, a line in the list of kinds, and its settings.
#[test]
fn every_kind_is_listed_once_and_the_one_that_takes_the_payload_comes_last() {
    let ids: Vec<OutputId> = KINDS.iter().map(|kind| kind.id()).collect();
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
    assert_eq!(ids.last(), Some(&OutputId::FRAGMENTS));
    // Droppable outputs come first: their problems are logged whatever keeps the connector from starting.
    let droppable = KINDS.iter().map(|kind| kind.on_refused() == OnRefused::Drop);
    assert!(droppable.clone().is_sorted_by(|before, after| before >= after), "{:?}", droppable.collect::<Vec<_>>());
}

#[test]
fn every_topic_that_a_connector_writes_to_has_a_kind() {
    let settings = [
        ("name", "c"),
        ("connector.class", "KinesisVideoSourceConnector"),
        ("kvs.streams", "door"),
        ("topic", "fragments"),
        ("metadata.topic", "metadata"),
        ("frames.topic", "frames"),
        ("payload.mode", "chunked"),
        ("payload.chunk.topic", "parts"),
        ("errors.tolerance", "all"),
        ("errors.deadletterqueue.topic.name", "dead"),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let (connector, _) = crate::config::check::connector(None, "test", &settings).unwrap();
    let flags = [("bootstrap.servers".to_owned(), "k:9092".to_owned())];
    let worker = crate::config::worker::load(None, &flags).unwrap();
    let listed = topics(Some(&worker), &connector);
    assert_eq!(listed.len(), KINDS.len());
    assert_eq!(in_order(listed.clone()).count(), listed.len());
}
