//! What it costs to make a fragment's record from the fragment, in one thread: the value's head, key, headers and sequence.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvs_connect::kafka::{DataTopic, TopicFacts};
use kvs_connect::model::{KeyFormat, OffsetKey, Publication, RecordTimestamp, VALUE_HEADROOM_BYTES};
use kvs_connect::output::{FragmentOutput, Framing, Origin, Output, OutputTopic, RecordForm, TimestampPolicy};
use kvs_mkv::{Event, Fragment, Splitter};

use crate::media;
use crate::splitter::median;
use crate::table::Table;

const ROUND: Duration = Duration::from_millis(500);
const ROUNDS: usize = 7;

pub fn run(table: &mut Table) {
    let video: Vec<_> = (0..20).map(|index| media::video(index, 500_000)).collect();
    let connect: Vec<_> = (0..200).map(media::connect).collect();
    for (shape, chunks) in [("video 0.5 MB", video), ("Amazon Connect 34 KB", connect)] {
        let figures: Vec<(f64, f64)> = (0..ROUNDS).map(|_| measure(&chunks)).collect();
        let per_gb = figures.iter().map(|figures| figures.0).collect();
        table.row(format!("encoding a fragment's record, {shape}"), median(per_gb), "s/GB");
        let per_record = figures.iter().map(|figures| figures.1).collect();
        table.row("  of one record", median(per_record), "µs");
    }
}

/// Returns seconds per GB, and microseconds for each record. Splitting and freeing the fragments is not counted.
fn measure(chunks: &[Vec<u8>]) -> (f64, f64) {
    let key = Arc::new(OffsetKey { connector: "c".to_owned(), stream: "front-door".to_owned() });
    let topic = OutputTopic::new("t", Arc::new(DataTopic::new("t", 6)), &TopicFacts::default());
    let timestamps = TimestampPolicy {
        wanted: RecordTimestamp::Ingest,
        retention_ms: None,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
    };
    let output =
        FragmentOutput::new(topic, (RecordForm::with_keys(KeyFormat::Avro), Framing::SingleObject), timestamps)
            .unwrap();
    let origin = Origin::new(&key, "front-door", 1_700_000_000_000);
    let (mut bytes, mut records, mut spent) = (0, 0, Duration::ZERO);
    while spent < ROUND && records < 1_000_000 {
        let mut fragments: Vec<Fragment> = chunks.iter().map(|chunk| split(chunk)).collect();
        let mut done = Vec::with_capacity(fragments.len());
        let began = Instant::now();
        for fragment in &mut fragments {
            bytes += fragment.payload.len();
            let mut publication = Publication::of_notifications(Arc::clone(&key), Vec::new());
            output.project(&origin, 0, fragment, "video/webm", &mut publication).unwrap();
            publication.set_sequence(Some(7));
            done.push(black_box(publication));
            records += 1;
        }
        spent += began.elapsed();
    }
    (spent.as_secs_f64() / (bytes as f64 / 1e9), spent.as_secs_f64() * 1e6 / records as f64)
}

fn split(chunk: &[u8]) -> Fragment {
    match Splitter::default().with_headroom(VALUE_HEADROOM_BYTES).push(&mut &*chunk) {
        Ok(Some(Event::Fragment(fragment))) => fragment,
        other => panic!("{other:?}"),
    }
}
