#![allow(clippy::unwrap_used)]

use super::*;
use crate::supervision::catch;

/// Returns a caught panic of a part.
fn panicked(part: Part) -> Panicked {
    catch(part, || -> () { panic!("on purpose") }).unwrap_err()
}

#[tokio::test]
async fn leaving_that_takes_for_ever_is_cut_short_and_one_that_panics_is_an_error() {
    assert!(within(Duration::from_millis(1), std::future::pending()).await.is_ok());
    let left = within(LEAVE_MAX, async { Err(panicked(Part::Worker)) }).await;
    assert!(matches!(left, Err(WorkerError::Panicked(_))));
}

#[tokio::test]
async fn the_end_of_a_part_is_heard_from_the_worker_and_from_its_rest_api() {
    let (supervisor, mut ends) = Supervisor::new();
    let (rest, mut rest_ends) = mpsc::channel(1);
    rest.send(panicked(Part::Rest)).await.unwrap();
    let error = end_of_a_part(&mut ends, &mut rest_ends).await;
    assert!(matches!(error, WorkerError::Panicked(panicked) if panicked.part == Part::Rest));
    // A REST API that was stopped is no longer waited for.
    drop(rest);
    supervisor.endings.send(WorkerError::PartEnded(Part::Configs)).await.unwrap();
    let error = end_of_a_part(&mut ends, &mut rest_ends).await;
    assert!(matches!(error, WorkerError::PartEnded(Part::Configs)));
}
