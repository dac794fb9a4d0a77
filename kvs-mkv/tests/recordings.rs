//! Real recordings of GetMedia, read from the folder `KVS_RECORDINGS`. Without it, the test prints that it is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{split, split_at};
use kvs_mkv::{Completion, Continuity, End, Event};

/// File, number of complete fragments, frames in each, and whether the file ends inside a chunk.
const FILES: [(&str, usize, &[usize], bool); 5] = [
    ("output_get_media.mkv", 5, &[60, 60, 60, 60, 60], false),
    ("kinesis_video_renderer_example_output.mkv", 8, &[59], false),
    ("output-get-media-equal-timecode.mkv", 1, &[120], true),
    ("empty-mkv-with-tags.mkv", 0, &[], true),
    ("connect_shape_3frag.mkv", 3, &[32], false),
];

#[test]
fn every_complete_fragment_and_no_other() {
    let Some(folder) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there are no recordings to read");
        return;
    };
    for (name, whole, frames, cut) in FILES {
        let path = std::path::Path::new(&folder).join(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (events, end) = split(&bytes).unwrap();
        assert_eq!(events.len(), whole, "{name}");
        assert_eq!(matches!(end, End::Cut { .. }), cut, "{name}: {end:?}");
        let mut at = 0;
        let fragments =
            events.iter().filter_map(|event| if let Event::Fragment(one) = event { Some(one) } else { None });
        let fragments: Vec<_> = fragments.collect();
        for pair in fragments.windows(2) {
            let continuity = Continuity::after(pair[0], None);
            assert!(continuity.is_continued_by(pair[0].producer_timestamp, pair[1]), "{name}: {}", pair[1].number);
            assert!(pair[0].segment_uid.as_ref().is_some_and(|uid| uid.len() == 16), "{name}");
            assert_eq!(pair[0].segment_uid, pair[1].segment_uid, "{name}");
        }
        assert!(fragments.iter().all(|fragment| fragment.is_random_access()), "{name}");
        for (index, event) in events.iter().enumerate() {
            let Event::Fragment(fragment) = event else { panic!("{name}: {event:?}") };
            assert_eq!(&*fragment.payload, &bytes[at..at + fragment.payload.len()], "{name}");
            at += fragment.payload.len();
            assert_eq!(
                &bytes[at..bytes.len().min(at + 4)],
                if at < bytes.len() { b"\x1A\x45\xDF\xA3" } else { &b""[..] }
            );
            if let Some(&count) = frames.get(index) {
                assert_eq!(fragment.frames.len(), count, "{name}");
            }
            let counter = fragment.continuation_token.as_deref();
            assert_eq!(counter, Some(fragment.number.as_str()), "{name}");
        }
        for size in [1, 13, 1460, 65_536] {
            let cuts: Vec<_> = (0..bytes.len()).step_by(size).collect();
            assert_eq!(split_at(&bytes, &cuts, Completion::Token).unwrap(), (events.clone(), end.clone()), "{name}");
        }
    }
}
