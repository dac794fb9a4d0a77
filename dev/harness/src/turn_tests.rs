use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[test]
fn one_heavy_test_runs_at_a_time_with_one_beside_it_and_all_get_their_turn() {
    let (heavy, all) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (most, most_beside) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for index in 0..24 {
            let (heavy, all, most, most_beside) = (&heavy, &all, &most, &most_beside);
            scope.spawn(move || {
                let is_heavy = index % 4 == 0;
                let _turn = if is_heavy { Turn::heavy() } else { Turn::beside_others() };
                // A test's stage takes another one.
                let _second = Turn::beside_others();
                let running = all.fetch_add(1, Ordering::SeqCst) + 1;
                let before = heavy.fetch_add(usize::from(is_heavy), Ordering::SeqCst);
                assert!(!is_heavy || before == 0, "two heavy tests");
                most.fetch_max(running, Ordering::SeqCst);
                if before > 0 || is_heavy {
                    most_beside.fetch_max(running, Ordering::SeqCst);
                }
                // Others get the time to begin, if they may.
                thread::yield_now();
                thread::sleep(std::time::Duration::from_millis(5));
                heavy.fetch_sub(usize::from(is_heavy), Ordering::SeqCst);
                all.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    let (most, most_beside) = (most.into_inner(), most_beside.into_inner());
    assert!(most <= RUNNING_MAX && most_beside <= 1 + BESIDE_HEAVY_MAX, "{most}, {most_beside} with a heavy one");
}
