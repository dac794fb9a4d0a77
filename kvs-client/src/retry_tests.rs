use super::*;

#[test]
fn delays_grow_to_the_cap_and_start_over_after_a_success() {
    let policy = RetryPolicy::new(Duration::from_millis(100), Duration::from_secs(2));
    let mut longest = [Duration::ZERO; 8];
    for _ in 0..500 {
        let mut backoff = Backoff::new(policy);
        for longest in &mut longest {
            *longest = (*longest).max(backoff.next_delay());
        }
    }
    // Full jitter: the longest of many delays comes close to the bound and never exceeds it.
    for (index, &longest) in longest.iter().enumerate() {
        let bound = (policy.base * 2_u32.pow(index as u32)).min(policy.cap);
        assert!(longest <= bound && longest > bound / 2, "delay {index}: {longest:?} of {bound:?}");
    }
    let mut backoff = Backoff::new(policy);
    (0..10).for_each(|_| _ = backoff.next_delay());
    backoff.reset();
    assert!(backoff.next_delay() <= policy.base);
}

fn state(attempts_max: u32) -> RetryState {
    let policy = RetryPolicy::new(Duration::from_millis(1), Duration::from_millis(2)).with_attempts_max(attempts_max);
    RetryState::new(policy, Duration::from_secs(60))
}

#[test]
fn consecutive_failures_are_counted_until_a_success() {
    let mut state = state(0);
    assert_eq!((state.consecutive_attempts(), state.since()), (0, None));
    state.back_off();
    let since = state.since();
    assert!(since.is_some());
    assert!(state.failed(ErrorClass::Retry).is_some_and(|delay| delay <= Duration::from_millis(2)));
    assert_eq!((state.consecutive_attempts(), state.since()), (2, since));
    state.succeeded();
    assert_eq!((state.consecutive_attempts(), state.since()), (0, None));
}

#[test]
fn each_class_has_its_delay_or_none() {
    assert_eq!(state(0).failed(ErrorClass::Fatal), None);
    assert_eq!(state(0).failed(ErrorClass::RetrySlowly), Some(Duration::from_secs(60)));
    let mut bounded = state(2);
    assert!(bounded.failed(ErrorClass::Retry).is_some());
    assert_eq!(bounded.failed(ErrorClass::RetrySlowly), None);
}

#[test]
fn a_refusal_of_credentials_is_final_when_new_ones_were_refused_three_times() {
    let mut state = state(0);
    for _ in 0..2 {
        for _ in 0..3 {
            assert!(state.failed(ErrorClass::RefreshCredentials).is_some());
            // A fragment from elsewhere proves nothing about them.
            state.succeeded();
        }
        state.credentials_accepted();
    }
    (0..3).for_each(|_| _ = state.failed(ErrorClass::RefreshCredentials));
    assert_eq!(state.failed(ErrorClass::RefreshCredentials), None);
}
