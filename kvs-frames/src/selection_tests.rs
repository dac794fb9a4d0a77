#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn track(number: u64, kind: TrackKind, name: &str) -> Track {
    let mut track = Track::new(number, kind, "");
    track.name = Some(name.to_owned());
    track
}

#[test]
fn tracks_are_chosen_by_number_kind_or_name() {
    let tracks = [
        track(1, TrackKind::Audio, "AUDIO_FROM_CUSTOMER"),
        track(2, TrackKind::Audio, "AUDIO_TO_CUSTOMER"),
        track(3, TrackKind::Video, "1"),
        track(4, TrackKind::Video, "audio"),
    ];
    for (text, expected) in [
        ("1", &[1][..]),
        ("audio", &[1, 2]),
        ("video", &[3, 4]),
        ("AUDIO_FROM_CUSTOMER", &[1]),
        ("audio_from_customer", &[]),
        (" AUDIO_TO_CUSTOMER ", &[2]),
        ("name:1", &[3]),
        ("name:audio", &[4]),
        ("metadata", &[]),
    ] {
        let selector: TrackSelector = text.parse().unwrap();
        let selection = TrackSelection(vec![selector.clone()]);
        let chosen: Vec<u64> =
            tracks.iter().filter(|track| selection.contains(track)).map(|track| track.number).collect();
        assert_eq!(chosen, expected, "{text}");
        assert_eq!(selector.to_string().parse(), Ok(selector), "{text}");
    }
    assert!(tracks.iter().all(|track| TrackSelection::default().contains(track)));
}

#[test]
fn a_text_that_names_nothing_is_refused() {
    for text in ["", "  ", "name:"] {
        assert_eq!(text.parse::<TrackSelector>(), Err(BadSelector), "{text:?}");
        assert_eq!(text.parse::<TrackSelection>(), Err(BadSelector), "{text:?}");
    }
    assert_eq!("video,".parse::<TrackSelection>(), Err(BadSelector));
    let two: TrackSelection = "video, AUDIO_FROM_CUSTOMER".parse().unwrap();
    assert_eq!(two.0, [TrackSelector::Kind(TrackKind::Video), TrackSelector::Name("AUDIO_FROM_CUSTOMER".to_owned())]);
}
