//! A response that ends anywhere, cleanly or by a reset: every fragment arrives once and completely.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::*;
use futures::StreamExt;
use kvs_mkv::{Completion, Event, Splitter};
use kvs_simulator::{CutHow, Fault, FaultKind};
use rand::{RngExt, SeedableRng};

/// Concurrent sessions, which mostly wait for the service's limit on calls.
const AT_ONCE: usize = 100;

/// Returns the offsets of the elements in a cluster, the ends of chunks, and the chunks.
fn block_boundaries(bytes: &[u8]) -> (Vec<usize>, Vec<Vec<u8>>) {
    let mut splitter = Splitter::new(kvs_mkv::Limits::default(), Completion::Token);
    let (mut rest, mut at) = (bytes, 0);
    let (mut boundaries, mut chunks) = (Vec::new(), Vec::new());
    while let Some(event) = splitter.push(&mut rest).unwrap() {
        let Event::Fragment(fragment) = event else { panic!("{event:?}") };
        for frame in &fragment.frames {
            boundaries.push(at + frame.offset + frame.size_bytes);
        }
        boundaries.extend([at, at + fragment.leading_tags.end, at + fragment.trailing_tags.clone().unwrap().start]);
        at += fragment.payload.len();
        chunks.push(fragment.payload.to_vec());
    }
    boundaries.push(at);
    (boundaries, chunks)
}

async fn cut_everywhere(file: &Path, random_bytes: usize) {
    let bytes = std::fs::read(file).unwrap();
    let (mut cuts, chunks) = block_boundaries(&bytes);
    // The same in every run, so that failures can be reproduced.
    let mut random = rand::rngs::StdRng::seed_from_u64(20_261_124);
    cuts.extend((0..random_bytes).map(|_| random.random_range(0..bytes.len())));
    let simulator = simulator(Vec::new()).await;
    let client = client(&simulator).await;
    let chunks = Arc::new(chunks);
    let cases = cuts.into_iter().flat_map(|cut| [(cut, CutHow::Clean), (cut, CutHow::Reset)]);
    let cases: Vec<_> = cases.enumerate().collect();
    let count = cases.len();
    for chunk_of_cases in cases.chunks(400) {
        for (index, (cut, how)) in chunk_of_cases {
            let name = format!("s{index}");
            simulator.add_stream(&source(&name, file)).unwrap();
            let kind = FaultKind::Cut { at_byte: *cut as u64, how: *how };
            simulator.add_fault(Fault::new(kind).on(&name));
        }
        let pulls = chunk_of_cases.iter().map(|(index, (cut, how))| {
            let mut puller = puller(&client, &format!("s{index}"), None, config());
            let chunks = Arc::clone(&chunks);
            async move {
                let (fragments, _) = pull(&mut puller, chunks.len()).await;
                let payloads: Vec<&[u8]> = fragments.iter().map(|fragment| &*fragment.payload).collect();
                assert!(payloads == *chunks, "cut at {cut}, {how:?}: not the file's own chunks");
                assert!(fragments.iter().all(|fragment| fragment.complete));
            }
        });
        futures::stream::iter(pulls).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }
    println!("{count} responses were cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_recording_cut_at_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    cut_everywhere(&recording(folder.path(), 4), 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_recording_cut_at_every_block_and_a_thousand_bytes() {
    let Some(folder) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there is no recording to cut");
        return;
    };
    cut_everywhere(&Path::new(&folder).join("output_get_media.mkv"), 1_000).await;
}
