//! Whatever bytes come, however they are cut: no panic, no loop without end, the same result, bounded memory.
#![no_main]

use kvs_mkv::{Completion, End, Error, Event, FileSegment, Limits, ProducerSplitter, Splitter};
use libfuzzer_sys::fuzz_target;

fn split(bytes: &[u8], piece: usize, completion: Completion) -> (Vec<Event>, Result<End, Error>) {
    let limits = Limits { fragment_size_bytes: 1 << 16, header_size_bytes: 1 << 14, frames: 1_000, ..Limits::default() };
    let mut splitter = Splitter::new(limits, completion).with_headroom(8);
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

/// Timestamps of the clusters of a producer's document, until it is over or refused.
fn produced(bytes: &[u8], piece: usize) -> (Vec<i64>, bool) {
    let limits = Limits { fragment_size_bytes: 1 << 16, header_size_bytes: 1 << 14, frames: 1_000, ..Limits::default() };
    let mut splitter = ProducerSplitter::new(limits);
    let mut clusters = Vec::new();
    let mut at_end = false;
    let mut pieces = bytes.chunks(piece);
    loop {
        let next = if at_end { splitter.finish() } else { splitter.next() };
        match next {
            Ok(Some(fragment)) => clusters.extend(fragment.document.clusters.iter().map(|cluster| cluster.timestamp_ns)),
            Ok(None) if at_end => return (clusters, true),
            Ok(None) => match pieces.next() {
                Some(piece) => splitter.push(piece),
                None => at_end = true,
            },
            Err(_) => return (clusters, false),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    // The first two bytes say how the others are cut, and what makes a fragment whole.
    let Some((&[cut, mode], bytes)) = data.split_first_chunk::<2>() else { return };
    let completion = if mode & 1 == 0 { Completion::Token } else { Completion::NextChunkOrEnd };
    let at_once = split(bytes, bytes.len().max(1), completion);
    let in_pieces = split(bytes, usize::from(cut).max(1), completion);
    assert_eq!(at_once, in_pieces);
    for event in &at_once.0 {
        if let Event::Fragment(fragment) | Event::Unfinished(fragment) = event {
            for frame in &fragment.frames {
                let _ = fragment.frame_data(frame);
            }
            let _ = (fragment.duration_ns(), fragment.tags().count(), fragment.number.to_string());
        }
    }
    assert_eq!(produced(bytes, bytes.len().max(1)), produced(bytes, usize::from(cut).max(1)));
    let limits = Limits { header_size_bytes: 1 << 16, ..Limits::default() };
    let _ = Splitter::read_document(bytes, limits);
    let _ = FileSegment::read_all(bytes, limits);
});
