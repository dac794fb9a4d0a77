use super::*;

#[test]
fn delays_grow_to_the_cap_and_begin_anew() {
    let policy = RetryPolicy { attempts_max: 0, base: Duration::from_millis(100), cap: Duration::from_secs(2) };
    let mut longest = [Duration::ZERO; 8];
    for _ in 0..500 {
        let mut backoff = Backoff::new(policy);
        for longest in &mut longest {
            *longest = (*longest).max(backoff.next_delay());
        }
    }
    // Full jitter: the longest of many comes near to its bound and never over it.
    for (index, &longest) in longest.iter().enumerate() {
        let bound = (policy.base * 2_u32.pow(index as u32)).min(policy.cap);
        assert!(longest <= bound && longest > bound / 2, "delay {index}: {longest:?} of {bound:?}");
    }
    let mut backoff = Backoff::new(policy);
    (0..10).for_each(|_| _ = backoff.next_delay());
    backoff.reset();
    assert!(backoff.next_delay() <= policy.base);
}
