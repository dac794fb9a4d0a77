use super::*;

#[tokio::test(start_paused = true)]
async fn a_wait_keeps_the_request() {
    let mut state = State::Idle(Request::Session { readmit_bytes: 7 });
    state.wait(Duration::from_secs(3));
    let State::Waiting { until, .. } = &state else { panic!("it waits") };
    assert_eq!(*until, Instant::now() + Duration::from_secs(3));
    state.wake();
    assert!(matches!(state, State::Idle(Request::Session { readmit_bytes: 7 })));
    // Nothing to wake, and no session to take.
    state.wake();
    assert!(state.take_reading().is_none());
    assert!(matches!(state, State::Idle(Request::Session { readmit_bytes: 7 })));
}

#[tokio::test(start_paused = true)]
async fn a_delay_beyond_the_clock_is_shortened() {
    let mut state = State::default();
    state.wait(Duration::MAX);
    assert!(matches!(state, State::Waiting { until, .. } if until > Instant::now() + Duration::from_secs(86_400)));
}

#[cfg(feature = "archive")]
#[test]
fn a_stream_starts_with_its_fragment_only_without_a_position_and_if_inclusive() {
    let number = "7".parse::<FragmentNumber>().expect("a number");
    let start = StartSelector::FragmentNumber(number.clone());
    let mut config = PullerConfig { start, ..PullerConfig::default() };
    assert!(matches!(Request::of_start(&config, None), Request::Session { readmit_bytes: 0 }));
    config.start_inclusive = true;
    let state = State::Idle(Request::of_start(&config, None));
    assert_eq!(state.expected(), Some(&number));
    let position = StreamPosition {
        fragment_number: number,
        continuation_token: None,
        server_timestamp: None,
        producer_timestamp: None,
        continuity: kvs_mkv::Continuity::default(),
    };
    assert!(matches!(Request::of_start(&config, Some(&position)), Request::Session { .. }));
}
