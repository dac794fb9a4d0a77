//! Arbitrary bytes, cut in arbitrary ways: no panic, no endless loop, the same result, bounded memory.
#![no_main]

use kvs_mkv::{Completion, End, Error, Event, FileSegment, Fragment, Limits, ProducerSplitter, Splitter};
use libfuzzer_sys::fuzz_target;

fn small_limits() -> Limits {
    let mut limits = Limits::default();
    (limits.fragment_size_bytes, limits.header_size_bytes, limits.frames) = (1 << 16, 1 << 14, 1_000);
    limits
}

fn split(bytes: &[u8], piece: usize, completion: Completion) -> (Vec<Event>, Result<End, Error>) {
    let mut splitter = Splitter::new(small_limits(), completion).with_headroom(8);
    let mut events = Vec::new();
    for mut rest in bytes.chunks(piece) {
        loop {
            match splitter.push(&mut rest) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
        assert!(rest.is_empty());
    }
    (events, splitter.finish())
}

/// Returns the timestamps of the clusters of a producer's document, up to its end or an error.
fn produced(bytes: &[u8], piece: usize) -> (Vec<i64>, bool) {
    let mut splitter = ProducerSplitter::new(small_limits());
    let mut clusters = Vec::new();
    let mut at_end = false;
    let mut pieces = bytes.chunks(piece);
    loop {
        let next = if at_end { splitter.finish() } else { splitter.next() };
        match next {
            Ok(Some(fragment)) => {
                clusters.extend(fragment.document.clusters.iter().map(|cluster| cluster.timestamp_ns))
            }
            Ok(None) if at_end => return (clusters, true),
            Ok(None) => match pieces.next() {
                Some(piece) => splitter.push(piece),
                None => at_end = true,
            },
            Err(_) => return (clusters, false),
        }
    }
}

/// Chooses each track of a fragment, which always gives the track's frames.
fn choose(fragment: &Fragment) {
    for track in &*fragment.tracks {
        let chosen = fragment.with_tracks(8, |one| one.number == track.number).expect("the track is there");
        let data = |fragment: &Fragment| -> Vec<(i64, Vec<u8>)> {
            let all = fragment.tracks.iter().all(|one| one.number == track.number);
            let frames = fragment.frames.iter().filter(|frame| all || frame.track == track.number);
            frames.map(|frame| (frame.timestamp_ns, fragment.frame_data(frame).to_vec())).collect()
        };
        assert_eq!(data(&chosen), data(fragment));
        assert!(chosen.payload.len() <= fragment.payload.len());
    }
}

fuzz_target!(|data: &[u8]| {
    // The first two bytes determine how the others are cut and which sign completes a fragment.
    let Some((&[cut, mode], bytes)) = data.split_first_chunk::<2>() else { return };
    let completion = if mode & 1 == 0 { Completion::Token } else { Completion::NextChunkOrEnd };
    let at_once = split(bytes, bytes.len().max(1), completion);
    let in_pieces = split(bytes, usize::from(cut).max(1), completion);
    assert_eq!(at_once, in_pieces);
    for event in &at_once.0 {
        if let Event::Fragment(fragment) | Event::Unterminated(fragment) = event {
            for frame in &fragment.frames {
                let _ = fragment.frame_data(frame);
            }
            for track in &*fragment.tracks {
                let _ = fragment.media_type(track);
            }
            choose(fragment);
            let _ = (fragment.duration_ns(), fragment.tags().count(), fragment.number.to_string());
        }
    }
    assert_eq!(produced(bytes, bytes.len().max(1)), produced(bytes, usize::from(cut).max(1)));
    let mut limits = Limits::default();
    limits.header_size_bytes = 1 << 16;
    let _ = Splitter::read_document(bytes, limits);
    let _ = FileSegment::read_all(bytes, limits);
});
