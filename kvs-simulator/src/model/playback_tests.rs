use super::*;

#[test]
fn a_recording_may_have_any_times() {
    assert_eq!(play_millis(1_000, 5_000, 2_000), 6_000);
    assert_eq!(play_millis(i64::MIN, i64::MAX, i64::MAX), i64::MAX);
    assert_eq!(play_millis(i64::MAX, i64::MIN, 2_000), 0);
}

fn playback(chunks: usize, repeat: Repeat, pace: Pace) -> Playback {
    let duration = Duration::from_millis(100);
    let template = |index| {
        let parts = [bytes::Bytes::new(), bytes::Bytes::from_static(b"media"), bytes::Bytes::new()];
        Arc::new(super::super::media::Template { parts, start: duration * index, duration, recorded: None })
    };
    let chunks: Vec<_> = (0..chunks as u32).map(template).collect();
    let media = Media { period: duration * chunks.len() as u32, chunks, unterminated: Vec::new() };
    Playback::new("s", media, repeat, pace, Clock::default(), 1_000)
}

#[test]
fn fragments_beyond_a_streams_capacity_are_made_on_demand() {
    assert!(!playback(10, Repeat::Times(100), Pace::Max).on_demand());
    assert!(playback(10, Repeat::Times(101), Pace::Max).on_demand());
    assert!(playback(10, Repeat::Times(u64::MAX), Pace::Max).on_demand());
    assert!(playback(10, Repeat::Forever, Pace::Max).on_demand());
    assert!(!playback(10, Repeat::Forever, Pace::Realtime).on_demand());
    let mut still = playback(10, Repeat::Forever, Pace::Max).media;
    still.period = Duration::ZERO;
    assert!(Playback::new("s", still, Repeat::Forever, Pace::Realtime, Clock::default(), 1_000).on_demand());
}

#[test]
fn fragments_that_expired_unseen_are_skipped() {
    let paced = playback(10, Repeat::Forever, Pace::FragmentsPerSecond(100.0));
    let after = |seconds| paced.started + Duration::from_secs(seconds) + Duration::from_millis(5);
    assert_eq!(paced.skip_to(0, 1_000, after(9)), None);
    // After an hour 360,001 fragments are due, of which the last 1,000 are made.
    assert_eq!(paced.skip_to(0, 1_000, after(3_600)), Some(359_001));
    assert_eq!(paced.skip_to(359_001, 1_000, after(3_600)), None);
    assert_eq!(paced.skip_to(u64::MAX, 1_000, after(3_600)), None);
    let ends = playback(10, Repeat::Times(500), Pace::Realtime);
    assert_eq!(ends.skip_to(0, 1_000, ends.started + Duration::from_secs(100_000)), Some(4_000));
}
