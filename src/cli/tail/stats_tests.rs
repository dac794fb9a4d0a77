use serde_json::json;

use super::*;

fn record(stream: &str, sequence: i64, discontinuity: bool) -> Decoded {
    let fields =
        json!({ "stream_name": stream, "sequence": sequence, "size_bytes": 1_000, "discontinuity": discontinuity });
    Decoded { kind: Kind::Frame, fields, data: None }
}

#[test]
fn each_stream_is_counted_by_itself() {
    let mut stats = Stats::new();
    let place = Place { partition: 0, offset: 0, timestamp_ms: Some(1) };
    for (stream, sequence, discontinuity) in
        [("a", 0, true), ("b", 7, false), ("a", 1, false), ("a", 1, false), ("a", 5, true), ("b", 8, false)]
    {
        stats.add(&record(stream, sequence, discontinuity), &place);
    }
    let of = |name: &str| &stats.streams[name];
    let counts = |stream: &Stream| (stream.records, stream.missing, stream.discontinuities, stream.last_sequence);
    assert_eq!((counts(of("a")), counts(of("b"))), ((4, 3, 2, Some(5)), (2, 0, 0, Some(8))));
    assert_eq!((of("a").rates(0), of("a").rates(9).0), ((4, 4_000, 1.0), 4));
    // Ten seconds later they are no rate any more.
    assert_eq!(of("a").rates(10), (0, 0, 10.0));
}

#[test]
fn what_comes_from_another_partition_is_not_missing() {
    let mut stats = Stats::new();
    // Two partitions, of which one is read ahead of the other; 3 is in neither.
    for (partition, sequence) in [(0, 0), (0, 2), (0, 4), (0, 4), (0, 6), (1, 1), (1, 1), (1, 5), (1, 7)] {
        stats.add(&record("a", sequence, false), &Place { partition, offset: 0, timestamp_ms: None });
    }
    let stream = &stats.streams["a"];
    assert_eq!((stream.missing, stream.last_sequence), (1, Some(7)));
    stats.add_dead_letter("b", &Place { partition: 0, offset: 0, timestamp_ms: Some(7) });
    let stream = &stats.streams["b"];
    assert_eq!((stream.records, stream.missing, stream.last_record_ms), (1, 0, Some(7)));
}

#[test]
fn the_number_of_lines_is_bounded() {
    let mut stats = Stats::new();
    let place = Place { partition: 0, offset: 0, timestamp_ms: None };
    (0..STREAMS_MAX + 50).for_each(|index| stats.add(&record(&index.to_string(), 0, false), &place));
    assert_eq!((stats.streams.len(), stats.streams[OTHERS].records), (STREAMS_MAX + 1, 50));
}
