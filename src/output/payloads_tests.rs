#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::headers::tests::call;
use super::*;
use crate::config::connector::from_settings;

fn payloads(more: &[(&str, &str)]) -> Payloads {
    let common = [
        ("name", "c"),
        ("connector.class", "KinesisVideoSourceConnector"),
        ("kvs.streams", "door"),
        ("topic", "fragments"),
    ];
    let settings = common.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Payloads::new(from_settings("c.json", &settings).unwrap().payload, None)
}

fn place(payloads: &Payloads, fragment: &mut Fragment) -> Placed {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(payloads.place(fragment, "door", None, Some(("parts", 3)))).unwrap()
}

#[test]
fn small_payloads_stay_in_their_records() {
    let mut fragment = call("17", &[]);
    let size = fragment.payload.len();
    for (most, mode) in [(size, PayloadMode::Inline), (size - 1, PayloadMode::None)] {
        let payloads = payloads(&[("payload.mode", "none"), ("payload.inline.max.bytes", &most.to_string())]);
        let placed = place(&payloads, &mut fragment);
        assert_eq!((placed.fragment.mode, placed.metadata.mode), (mode, mode));
        assert_eq!(fragment.payload.len(), size, "the payload is still there for other outputs");
    }
}

#[test]
fn chunks_are_counted() {
    let mut fragment = call("17", &[]);
    let size = fragment.payload.len();
    for tags in [1, 4] {
        let most = (size * tags).max(1_000);
        let settings = [
            ("payload.mode", "chunked"),
            ("payload.chunk.topic", "parts"),
            ("payload.chunk.max.bytes", &*most.to_string()),
        ];
        let chunks = place(&payloads(&settings), &mut fragment).fragment.chunks.unwrap();
        let expected = i64::try_from(size.div_ceil(most)).unwrap();
        assert_eq!((&*chunks.topic, chunks.partition, chunks.count), ("parts", 3, expected));
    }
}

#[test]
fn objects_are_named_after_stream_and_fragment() {
    let fragment = call("17", &[]);
    let names = |label| object_names("door", &fragment, label, "mkv");
    assert_eq!(names(None), ["door", "17.mkv"]);
    assert_eq!(names(Some("FROM")), ["door", "17-FROM.mkv"]);
    // A name that not every store allows: the number of the part's first track stands for it.
    assert_eq!(names(Some("../x")), ["door", "17-1.mkv"]);
    assert_eq!(names(Some("")), ["door", "17-1.mkv"]);
}
