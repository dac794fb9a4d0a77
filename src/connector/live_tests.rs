#![allow(clippy::unwrap_used)]

use tokio::sync::mpsc::error::TryRecvError;

use super::*;

/// An owner that was abandoned ends after its successor has begun: what the successor pulls goes on.
#[tokio::test]
async fn an_owner_stops_only_what_it_has_started() {
    let live = Arc::new(LiveStreams::new(Arc::default(), Handle::current()));
    let (mut first, mut second) =
        (ShardStreams::new(Arc::clone(&live), Arc::default()), ShardStreams::new(Arc::clone(&live), Arc::default()));
    let (first_queue, mut first_end) = mpsc::channel(1);
    first.start(Beginning::default(), first_queue);
    assert_eq!(first_end.try_recv().unwrap_err(), TryRecvError::Empty);
    let (second_queue, mut second_end) = mpsc::channel(1);
    second.start(Beginning::default(), second_queue);
    // Whoever starts takes over.
    assert_eq!(first_end.try_recv().unwrap_err(), TryRecvError::Disconnected);
    first.stop();
    drop(first);
    assert_eq!(second_end.try_recv().unwrap_err(), TryRecvError::Empty);
    drop(second);
    assert_eq!(second_end.try_recv().unwrap_err(), TryRecvError::Disconnected);
}
