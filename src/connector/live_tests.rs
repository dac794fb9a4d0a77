#![allow(clippy::unwrap_used)]

use tokio::sync::mpsc::error::TryRecvError;

use super::*;
use crate::model::{OnRefused, OutputId, Record, RecordOutput};

/// An abandoned owner that ends after its successor has started does not stop the successor's streams.
#[tokio::test]
async fn an_owner_stops_only_what_it_has_started() {
    let live = Arc::new(LiveStreams::new(Arc::default(), Handle::current()));
    let (mut first, mut second) =
        (ShardStreams::new(Arc::clone(&live), Arc::default()), ShardStreams::new(Arc::clone(&live), Arc::default()));
    let (first_queue, mut first_end) = mpsc::channel(1);
    first.start(StartContext::default(), first_queue);
    assert_eq!(first_end.try_recv().unwrap_err(), TryRecvError::Empty);
    let (second_queue, mut second_end) = mpsc::channel(1);
    second.start(StartContext::default(), second_queue);
    // The owner that starts last takes over.
    assert_eq!(first_end.try_recv().unwrap_err(), TryRecvError::Disconnected);
    first.stop();
    drop(first);
    assert_eq!(second_end.try_recv().unwrap_err(), TryRecvError::Empty);
    drop(second);
    assert_eq!(second_end.try_recv().unwrap_err(), TryRecvError::Disconnected);
}

/// The transaction of a stream that is paused or stopped may be committed after the stream has ended, and nothing may follow.
#[tokio::test]
async fn what_is_committed_after_its_stream_has_ended_is_written_all_the_same() {
    let states = Arc::new(StreamStates::default());
    let live = Arc::new(LiveStreams::new(Arc::clone(&states), Handle::current()));
    let key = Arc::new(OffsetKey::of_stream("c", "door"));
    let record = |topic: &str, on_refused| Record {
        output: Some(RecordOutput { id: OutputId::FRAGMENTS, on_refused }),
        topic: topic.into(),
        partition: 0,
        key: Vec::new(),
        value: None,
        headers: Vec::new(),
        timestamp_ms: None,
        sequence: None,
    };
    let records = [("a", OnRefused::FailStream), ("told", OnRefused::Drop), ("b", OnRefused::FailStream)];
    let records = records.map(|(topic, on_refused)| record(topic, on_refused)).into();
    let mut publication = Publication { records, ..Publication::of_notifications(Arc::clone(&key), Vec::new()) };
    states.begin(&key, 1);
    states.forget(&key);
    ShardStreams::new(live, Arc::default()).committed(&[Committed::of(&mut publication)]);
    let topics: Vec<_> = states.written_topics().unreported(|_, _| false);
    assert_eq!(topics, ["a", "b"].map(|topic| ("c".to_owned(), Arc::from(topic))));
}
