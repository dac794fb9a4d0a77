//! The splitter compared with webm-iterable and memcpy. All get pieces of 64 KB and return whole payloads.

use std::hint::black_box;
use std::io::Read;
use std::time::{Duration, Instant};

use kvs_mkv::{Event, Splitter};
use webm_iterable::WebmIterator;
use webm_iterable::matroska_spec::{Master, MatroskaSpec, SimpleBlock};

use crate::media;
use crate::table::Table;

const PIECE_BYTES: usize = 64 << 10;
const ROUND: Duration = Duration::from_millis(300);
const ROUNDS: usize = 7;

pub fn run(table: &mut Table) {
    let video: Vec<Vec<u8>> = (0..8).map(|index| media::video(index, 500_000)).collect();
    let connect: Vec<Vec<u8>> = (0..60).map(media::connect).collect();
    for (shape, chunks, frames) in
        [("video 0.5 MB", video, media::VIDEO_FRAMES), ("Amazon Connect 34 KB", connect, media::CONNECT_FRAMES)]
    {
        let bytes = chunks.concat();
        let count = chunks.len();
        let whole = chunks.iter().map(Vec::len).max().unwrap();
        // The contestants alternate, so that a change of the machine's speed affects all of them.
        let (mut ours, mut peers, mut copies) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(rate(&bytes, |bytes| assert_eq!(split(bytes), (count, count * frames))));
            peers.push(rate(&bytes, |bytes| assert_eq!(iterate(bytes), (count, count * frames))));
            copies.push(rate(&bytes, |bytes| copy(bytes, whole)));
        }
        let (ours, peer, copy) = (median(ours), median(peers), median(copies));
        table.against(format!("splitter, {shape}"), ours, "GB/s", "webm-iterable 0.7", peer);
        table.against(format!("webm-iterable 0.7, {shape}"), peer, "GB/s", "memcpy", copy);
        table.against(format!("memcpy in pieces of 64 KB, {shape}"), copy, "GB/s", "splitter", ours);
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn rate(bytes: &[u8], work: impl Fn(&[u8])) -> f64 {
    let began = Instant::now();
    let mut total = 0;
    while began.elapsed() < ROUND {
        work(bytes);
        total += bytes.len();
    }
    total as f64 / 1e9 / began.elapsed().as_secs_f64()
}

fn split(bytes: &[u8]) -> (usize, usize) {
    let mut splitter = Splitter::default();
    let (mut fragments, mut frames) = (0, 0);
    for mut piece in bytes.chunks(PIECE_BYTES) {
        while let Some(event) = splitter.push(&mut piece).unwrap() {
            let Event::Fragment(fragment) = event else { panic!("{event:?}") };
            fragments += 1;
            frames += fragment.frames.len();
            black_box(&*fragment.payload);
        }
    }
    (fragments, frames)
}

fn copy(bytes: &[u8], whole: usize) {
    let mut payload = Vec::with_capacity(whole);
    for piece in bytes.chunks(PIECE_BYTES) {
        if payload.len() + piece.len() > whole {
            black_box(&payload);
            payload = Vec::with_capacity(whole.max(piece.len()));
        }
        payload.extend_from_slice(piece);
    }
    black_box(&payload);
}

/// Passes the pieces on and keeps a copy from which the payloads are cut.
struct Pieces<'b> {
    bytes: &'b [u8],
    payload: Vec<u8>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = into.len().min(PIECE_BYTES).min(self.bytes.len());
        let (piece, rest) = self.bytes.split_at(count);
        into[..count].copy_from_slice(piece);
        self.payload.extend_from_slice(piece);
        self.bytes = rest;
        Ok(count)
    }
}

struct Frame {
    _track: u64,
    _timestamp: i16,
    _key: bool,
    _size_bytes: usize,
}

/// Does what a user of webm-iterable has to write for the same result: payloads, frame index, number and token.
fn iterate(bytes: &[u8]) -> (usize, usize) {
    let mut iterator = WebmIterator::with_capacity(Pieces { bytes, payload: Vec::new() }, &[], PIECE_BYTES);
    let (mut fragments, mut count, mut chunk_at) = (0, 0, 0);
    let mut frames: Vec<Frame> = Vec::new();
    let mut tags: Vec<(String, String)> = Vec::new();
    let mut name = String::new();
    while let Some(tag) = iterator.next() {
        match tag.unwrap() {
            MatroskaSpec::Ebml(Master::Start) => {
                let at = iterator.last_emitted_tag_offset();
                if at > chunk_at {
                    let payload = &mut iterator.get_mut().payload;
                    let rest = payload.split_off(at - chunk_at);
                    black_box(std::mem::replace(payload, rest));
                    fragments += 1;
                    count += std::mem::take(&mut frames).len();
                    black_box(std::mem::take(&mut tags));
                }
                chunk_at = at;
            }
            MatroskaSpec::SimpleBlock(ref data) => {
                let block = SimpleBlock::try_from(data.as_slice()).unwrap();
                let size = block.raw_frame_data().len();
                frames.push(Frame {
                    _track: block.track,
                    _timestamp: block.timestamp,
                    _key: block.keyframe,
                    _size_bytes: size,
                });
            }
            MatroskaSpec::TagName(text) => name = text,
            MatroskaSpec::TagString(text) => tags.push((std::mem::take(&mut name), text)),
            _ => {}
        }
    }
    black_box(&iterator.get_ref().payload);
    (fragments + 1, count + frames.len())
}
