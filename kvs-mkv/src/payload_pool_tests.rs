use super::*;
use crate::Payload;

const MB: usize = 1 << 20;

/// Returns a payload of the pool with this content.
fn payload(pool: &PayloadPool, bytes: &[u8]) -> Payload {
    let mut payload = Payload::with_capacity(16, bytes.len(), Some(pool));
    payload.append(bytes);
    payload
}

fn state(pool: &PayloadPool) -> (usize, usize) {
    let kept = pool.lock();
    (kept.buffers.len(), kept.size_bytes / MB)
}

#[test]
fn the_buffer_of_a_dropped_payload_is_that_of_the_next_one_which_shows_nothing_of_it() {
    let pool = PayloadPool::new(8 * MB);
    let first = payload(&pool, &vec![7; MB]);
    let address = first.as_ptr();
    // However a record's head got in front.
    drop(first.into_prefixed(b"head"));
    assert_eq!(state(&pool), (1, 1));
    let second = payload(&pool, &vec![8; MB - 5]);
    assert_eq!(second.as_ptr(), address);
    assert!(second.len() == MB - 5 && second.iter().all(|byte| *byte == 8));
    // The room in front is empty, too.
    let prefixed = second.into_prefixed(b"h");
    assert_eq!(&prefixed[..2], b"h\x08");
    assert_eq!(state(&pool), (0, 1));
    drop(prefixed);
    assert_eq!(state(&pool), (1, 1));
}

#[test]
fn what_is_kept_and_what_is_lent_is_bounded_together() {
    let pool = PayloadPool::new(3 * MB + MB / 2);
    let all: Vec<Payload> = (0..6).map(|_| payload(&pool, &vec![0; MB])).collect();
    assert_eq!(state(&pool), (0, 0));
    drop(all);
    assert_eq!(state(&pool), (3, 3));
    let lent: Vec<Payload> = (0..5).map(|_| payload(&pool, &vec![0; MB])).collect();
    assert_eq!(state(&pool), (0, 3));
    drop(lent);
    assert_eq!(state(&pool), (3, 3));
    // One that has grown counts with what it has become.
    let mut grown = payload(&pool, &vec![0; MB]);
    grown.append(&vec![0; 8 * MB]);
    drop(grown);
    assert_eq!(state(&pool), (2, 2));
}

/// A payload that is complete is accounted for where it is, so what it returns to may have been filled meanwhile.
#[test]
fn a_complete_payload_makes_room_in_the_pool() {
    let pool = PayloadPool::new(2 * MB + MB / 2);
    drop([(); 2].map(|()| payload(&pool, &vec![0; MB])));
    assert_eq!(state(&pool), (2, 2));
    let mut lent = [(); 2].map(|()| payload(&pool, &vec![0; MB]));
    assert_eq!(state(&pool), (0, 2));
    lent[0].complete();
    assert_eq!(state(&pool), (0, 1));
    drop(payload(&pool, &vec![0; MB]));
    assert_eq!(state(&pool), (1, 2));
    drop(lent);
    assert_eq!(state(&pool), (2, 2));
}

#[test]
fn small_buffers_are_not_kept_and_none_is_lent_that_is_much_too_large() {
    let pool = PayloadPool::new(64 * MB);
    drop(payload(&pool, &[1; 1000]));
    assert_eq!(state(&pool), (0, 0));
    drop(payload(&pool, &vec![0; 4 * MB]));
    let small = payload(&pool, &vec![0; MB]);
    assert_eq!(state(&pool), (1, 4));
    drop(small);
    assert_eq!(state(&pool), (2, 5));
}

/// A copy is a payload of its own.
#[test]
fn a_copy_does_not_give_a_buffer_back_twice() {
    let pool = PayloadPool::new(64 * MB);
    let first = payload(&pool, &vec![3; MB]);
    let copy = first.clone();
    drop(first);
    assert_eq!(state(&pool), (1, 1));
    let next = payload(&pool, &vec![4; MB]);
    assert!(copy.iter().all(|byte| *byte == 3) && next.iter().all(|byte| *byte == 4));
    drop(copy);
    assert_eq!(state(&pool), (0, 1));
}

#[test]
fn nothing_is_kept_for_which_there_is_no_room() {
    let pool = PayloadPool::new(8 * MB);
    drop([(); 4].map(|()| payload(&pool, &vec![0; MB])));
    assert_eq!(state(&pool), (4, 4));
    pool.set_room(2 * MB + MB / 2);
    assert_eq!(state(&pool), (2, 2));
    let two = [(); 2].map(|()| payload(&pool, &vec![0; MB]));
    pool.set_room(0);
    // What is lent comes back, and is not kept.
    drop(two);
    assert_eq!(state(&pool), (0, 0));
    pool.set_room(usize::MAX);
    drop([(); 9].map(|()| payload(&pool, &vec![0; MB])));
    assert_eq!(state(&pool), (7, 7));
}
