#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;

/// Waits for a reason to exit and returns it.
async fn heard(ends: &mut mpsc::Receiver<WorkerError>) -> WorkerError {
    tokio::time::timeout(Duration::from_secs(60), ends.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_part_that_panics_or_returns_before_it_is_stopped_ends_the_worker() {
    let (supervisor, mut ends) = Supervisor::new();
    supervisor.start(Part::Metrics, async { panic!("on purpose") });
    assert!(matches!(heard(&mut ends).await, WorkerError::Panicked(panicked) if panicked.part == Part::Metrics));
    supervisor.start(Part::Configs, async {});
    assert!(matches!(heard(&mut ends).await, WorkerError::PartEnded(Part::Configs)));
}

#[tokio::test]
async fn a_part_that_says_why_it_returns_is_heard_with_that_reason() {
    let (supervisor, mut ends) = Supervisor::new();
    let endings = supervisor.endings.clone();
    supervisor.start(Part::StorageTopics, async move {
        endings.send(WorkerError::Config("a topic".to_owned())).await.unwrap();
    });
    assert!(matches!(heard(&mut ends).await, WorkerError::Config(_)));
}

#[tokio::test]
async fn a_part_that_is_stopped_is_no_reason_to_end() {
    let (supervisor, mut ends) = Supervisor::new();
    supervisor.stop.cancel();
    supervisor.start(Part::Configs, async {}).await.unwrap();
    drop(supervisor);
    assert!(ends.recv().await.is_none());
}
