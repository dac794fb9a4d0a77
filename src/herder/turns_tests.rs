#![allow(clippy::unwrap_used)]

use std::sync::{Mutex, mpsc};

use super::*;
use crate::supervision::{Panicked, catch_async};

const COUNT: usize = 20;

fn turns() -> Arc<Turns> {
    Arc::new(Turns::new(Room { turns: 1, waiting: COUNT, timeout: WAIT_TIMEOUT, what: "things" }))
}

/// Waits until `count` callers wait for a turn.
async fn until_waiting(turns: &Turns, count: usize) {
    let waits = async {
        while COUNT - turns.waiting.available_permits() != count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waits).await.unwrap();
}

#[tokio::test]
async fn what_waits_is_done_in_order_and_what_nobody_waits_for_any_more_is_not_done() {
    let (turns, done) = (turns(), Arc::new(Mutex::new(Vec::new())));
    let first = turns.turn().await.unwrap();
    let mut waiting = Vec::new();
    for number in 0..COUNT {
        let (queue, done) = (Arc::clone(&turns), Arc::clone(&done));
        waiting.push(tokio::spawn(async move {
            let turn = queue.turn().await.unwrap();
            within(turn, move || done.lock().unwrap().push(number)).await;
        }));
        until_waiting(&turns, number + 1).await;
    }
    // One more is refused, and displaces no other.
    let refused = turns.turn().await.unwrap_err().to_string();
    assert!(refused.contains("20 things are waiting"), "{refused}");
    // Every third client disconnects.
    for client in waiting.iter().step_by(3) {
        client.abort();
    }
    until_waiting(&turns, COUNT - COUNT.div_ceil(3)).await;
    drop(first);
    for (number, client) in waiting.into_iter().enumerate() {
        assert_eq!(client.await.is_ok(), number % 3 != 0, "{number}");
    }
    let expected: Vec<usize> = (0..COUNT).filter(|number| number % 3 != 0).collect();
    assert_eq!(*done.lock().unwrap(), expected);
}

/// Otherwise two changes of one worker would fence each other.
#[tokio::test]
async fn what_has_begun_keeps_its_turn_although_its_client_has_gone() {
    let turns = turns();
    let (resume, resumed) = mpsc::channel::<()>();
    let turn = turns.turn().await.unwrap();
    let (began, begun) = tokio::sync::oneshot::channel();
    let client = tokio::spawn(within(turn, move || {
        began.send(()).unwrap();
        resumed.recv().unwrap();
    }));
    begun.await.unwrap();
    client.abort();
    assert!(client.await.is_err());
    let next = tokio::spawn({
        let turns = Arc::clone(&turns);
        async move { turns.turn().await.is_ok() }
    });
    until_waiting(&turns, 1).await;
    assert_eq!(turns.turns.available_permits(), 0);
    resume.send(()).unwrap();
    assert!(next.await.unwrap());
}

#[tokio::test]
async fn nobody_waits_for_ever() {
    let turns = Turns::new(Room { turns: 1, waiting: 1, timeout: Duration::from_millis(1), what: "things" });
    let first = turns.turn().await.unwrap();
    let refused = turns.turn().await.unwrap_err().to_string();
    assert!(refused.contains("nothing was done"), "{refused}");
    drop(first);
    assert!(turns.turn().await.is_ok());
}

#[tokio::test]
async fn a_panic_goes_on_where_it_is_waited_for_and_the_turn_is_over() {
    let turns = turns();
    let turn = turns.turn().await.unwrap();
    let client = catch_async(Part::Statuses, within(turn, || panic!("on purpose")));
    let panicked: Result<(), Panicked> = client.await;
    assert_eq!(panicked.unwrap_err().message, "on purpose");
    assert!(turns.turn().await.is_ok());
}
