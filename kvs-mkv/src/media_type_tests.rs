use super::*;
use crate::track::AudioSettings;

fn tag(name: &'static str, value: &'static str, track_uid: Option<u64>) -> Tag<'static> {
    Tag { name: name.into(), value: TagValue::Text(value.into()), track_uid }
}

fn of(track: &Track, tags: &[Tag<'static>]) -> Option<String> {
    media_type(track, tags.iter().cloned()).map(Cow::into_owned)
}

#[test]
fn a_tag_of_the_track_wins_over_one_of_the_fragment_and_both_over_the_codec_id() {
    let audio = Track::new(1, TrackKind::Audio, "A_AAC");
    let samples = "audio/L16;rate=8000;channels=1;";
    let fragment = tag("MimeType", samples, None);
    assert_eq!(of(&audio, &[]).as_deref(), Some("audio/AAC"));
    assert_eq!(of(&audio, std::slice::from_ref(&fragment)).as_deref(), Some(samples));
    let own = tag("MimeType", " audio/opus ", Some(1));
    assert_eq!(of(&audio, &[own.clone(), fragment.clone()]).as_deref(), Some("audio/opus"));
    assert_eq!(of(&audio, &[fragment.clone(), own]).as_deref(), Some("audio/opus"));
    let of_another = tag("MimeType", "audio/opus", Some(2));
    assert_eq!(of(&audio, &[of_another]).as_deref(), Some("audio/AAC"));
    // A fragment's tag is not about its pictures.
    let video = Track::new(2, TrackKind::Video, "V_MPEG4/ISO/AVC");
    assert_eq!(of(&video, &[fragment]).as_deref(), Some("video/H264"));
    assert_eq!(of(&video, &[tag("MimeType", "video/x", Some(2))]).as_deref(), Some("video/x"));
    assert_eq!(of(&audio, &[tag("MimeType", "video/H264", None)]).as_deref(), Some("audio/AAC"));
}

#[test]
fn a_tag_that_is_no_media_type_is_ignored() {
    let audio = Track::new(1, TrackKind::Audio, "A_AAC");
    let long: &'static str = String::leak(format!("audio/{}", "x".repeat(TAG_MAX_BYTES)));
    for value in ["", "audio", "audio/", "/L16", "au dio/L16", "audio/L16\u{7};rate=1", "audio/Ü", long] {
        assert_eq!(of(&audio, &[tag("MimeType", value, None)]).as_deref(), Some("audio/AAC"), "{value:?}");
        assert_eq!(of(&audio, &[tag("MimeType", value, Some(1))]).as_deref(), Some("audio/AAC"), "{value:?}");
    }
    let binary = Tag { name: "MimeType".into(), value: TagValue::Binary(b"audio/L16"), track_uid: None };
    assert_eq!(of(&audio, &[binary]).as_deref(), Some("audio/AAC"));
}

#[test]
fn only_what_is_certain_follows_from_the_codec_id() {
    let mut pcm = Track::new(1, TrackKind::Audio, "A_PCM/INT/BIG");
    assert_eq!(of(&pcm, &[]), None);
    for (bits, rate_hz, expected) in [
        (Some(16), 44_100.0, Some("audio/L16;rate=44100;channels=2")),
        (Some(24), 48_000.0, Some("audio/L24;rate=48000;channels=2")),
        (Some(32), 48_000.0, None),
        (None, 48_000.0, None),
        (Some(16), 0.5, None),
        (Some(16), 8000.5, None),
        (Some(16), f64::NAN, None),
        (Some(16), f64::INFINITY, None),
    ] {
        let mut audio = AudioSettings::new(rate_hz, 2);
        audio.bit_depth = bits;
        pcm.audio = Some(audio);
        assert_eq!(of(&pcm, &[]).as_deref(), expected, "{bits:?} {rate_hz}");
    }
    pcm.codec_id = "A_PCM/INT/LIT".to_owned();
    assert_eq!(of(&pcm, &[]), None);
    let mut acm = Track::new(1, TrackKind::Audio, "A_MS/ACM");
    assert_eq!(of(&acm, &[]), None);
    for (format, expected) in
        [(6, Some("audio/PCMA;rate=8000;channels=1")), (7, Some("audio/PCMU;rate=8000;channels=1")), (1, None)]
    {
        acm.codec_private = Some(vec![format, 0, 1, 0, 0x40, 0x1F, 0, 0, 0x40, 0x1F, 0, 0]);
        assert_eq!(of(&acm, &[]).as_deref(), expected);
        acm.codec_private = Some(vec![format, 0, 1]);
        assert_eq!(of(&acm, &[]), None);
    }
    assert_eq!(of(&Track::new(1, TrackKind::Video, "V_MS/VFW/FOURCC"), &[]), None);
}
