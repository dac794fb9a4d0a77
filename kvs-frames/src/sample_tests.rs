#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

const SECOND_NS: i64 = 1_000_000_000;

fn sample(text: &str) -> FrameSample {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the indexes of the chosen frames; the state is stored and read again before each.
fn chosen(text: &str, frames: &[(bool, i64)]) -> Vec<usize> {
    let (sample, mut stored) = (sample(text), SampleState::default().to_integers());
    let mut chosen = Vec::new();
    for (index, (key, time_ns)) in frames.iter().enumerate() {
        let mut state = SampleState::from_integers(stored);
        if sample.selects(&mut state, *key, *time_ns) {
            chosen.push(index);
        }
        stored = state.to_integers();
    }
    chosen
}

/// Ten frames a second, every fourth a key frame.
fn frames(from_ns: i64, count: usize) -> Vec<(bool, i64)> {
    (0..count).map(|index| (index % 4 == 0, from_ns + index as i64 * SECOND_NS / 10)).collect()
}

#[test]
fn each_choice_chooses_what_it_says() {
    let frames = frames(0, 24);
    assert_eq!(chosen("all", &frames).len(), 24);
    assert_eq!(chosen("key", &frames), [0, 4, 8, 12, 16, 20]);
    assert_eq!(chosen("every:10", &frames), [0, 10, 20]);
    assert_eq!(chosen("every:1", &frames).len(), 24);
    assert_eq!(chosen("key,every:2", &frames), [0, 8, 16]);
    assert_eq!(chosen("interval:1s", &frames), [0, 10, 20]);
    assert_eq!(chosen("key,interval:1s", &frames), [0, 12, 20]);
    assert_eq!(chosen("interval:1ms", &frames).len(), 24);
}

/// Pictures that are shown before others which are decoded earlier open no interval again.
#[test]
fn reordering_chooses_one_frame_an_interval() {
    let pts = [0, 400, 1200, 600, 800, 1000, 1800, 1400, 1600, 2100, 1900, 2000];
    let frames: Vec<_> = pts.iter().map(|pts| (false, pts * SECOND_NS / 1000)).collect();
    assert_eq!(chosen("interval:1s", &frames), [0, 2, 9]);
}

#[test]
fn a_clock_that_begins_again_is_followed() {
    let twice = [frames(3600 * SECOND_NS, 11), frames(0, 11)].concat();
    assert_eq!(chosen("interval:1s", &twice), [0, 10, 11, 21]);
    let negative = frames(-SECOND_NS, 11);
    assert_eq!(chosen("interval:1s", &negative), [0, 10]);
}

#[test]
fn texts_are_read_and_written() {
    for text in
        ["all", "key", "every:5", "interval:2s", "interval:1m 30s", "interval:500ms", "key,every:5", "key,interval:2s"]
    {
        let written = sample(text).to_string();
        assert_eq!(written, text.replace(' ', ""));
        assert_eq!(sample(&written), sample(text));
    }
    for text in [
        "",
        "none",
        "every",
        "every:",
        "every:0",
        "every:-1",
        "every:x",
        "interval:",
        "interval:2",
        "interval:0s",
        "key,",
        "key,all",
    ] {
        let error = text.parse::<FrameSample>().unwrap_err();
        assert_eq!(error.text, text);
    }
    assert!("interval:1000years".parse::<FrameSample>().is_err());
}

proptest! {
    #[test]
    fn no_state_and_no_time_is_a_panic(stored: [i64; 2], times: Vec<i64>, count in 1_u64.., interval in 1_i64..) {
        for text in [format!("every:{count}"), format!("interval:{interval}ns")] {
            let mut state = SampleState::from_integers(stored);
            for time_ns in &times {
                sample(&text).selects(&mut state, false, *time_ns);
                prop_assert_eq!(SampleState::from_integers(state.to_integers()), state);
            }
        }
    }
}
