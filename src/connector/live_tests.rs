#![allow(clippy::unwrap_used)]

use tokio::sync::mpsc::error::TryRecvError;

use super::*;

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
