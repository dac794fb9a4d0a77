//! What the outputs besides the fragments cost: their metadata, and single frames.

use kvs_harness::Kafka;

use crate::load::{self, Load, Run};
use crate::media;
use crate::splitter::median;
use crate::table::Table;

const ROUNDS: usize = 3;
const STREAMS: usize = 4;
const BYTES: usize = 1_000_000_000;
const SMALL_FRAMES_BYTES: usize = 300_000_000;
const METADATA: (&str, &str) = ("metadata.topic", "{}-metadata");
const FRAMES: (&str, &str) = ("frames.topic", "{}-frames");
/// The media are in the frames, and not once more in the fragments.
const WITHOUT_PAYLOAD: (&str, &str) = ("payload.mode", "none");

/// Measures fragments with their metadata against fragments alone.
pub fn metadata(table: &mut Table) {
    let kafka = Kafka::start();
    let runs = compared(&kafka, &video(), &[METADATA]);
    let rate = |run: &Run| run.mb_per_second;
    table.against("fragments and metadata", of(&runs, 0, rate), "MB/s", "fragments alone", of(&runs, 1, rate));
    table.row("  median of the rounds' own ratios", ratio(&runs, rate), "ratio");
    let cpu = |run: &Run| run.cpu_seconds_per_gb;
    table.against("  processor time", of(&runs, 0, cpu), "s/GB", "fragments alone", of(&runs, 1, cpu));
}

/// Measures frames of video against fragments alone, and small frames.
pub fn frames(table: &mut Table) {
    let kafka = Kafka::start();
    let runs = compared(&kafka, &video(), &[FRAMES]);
    let rate = |run: &Run| run.mb_per_second;
    table.against(
        "fragments and frames of 8 KB, media",
        of(&runs, 0, rate),
        "MB/s",
        "fragments alone",
        of(&runs, 1, rate),
    );
    table.row("  median of the rounds' own ratios", ratio(&runs, rate), "ratio");
    table.row("  written, media once as fragments and once as frames", 2.0 * of(&runs, 0, rate), "MB/s");
    let cpu = |run: &Run| run.cpu_seconds_per_gb;
    table.against("  processor time", of(&runs, 0, cpu), "s/GB", "fragments alone", of(&runs, 1, cpu));

    let runs = compared(&kafka, &video(), &[FRAMES, WITHOUT_PAYLOAD]);
    table.against("frames of 8 KB alone", of(&runs, 0, rate), "MB/s", "fragments alone", of(&runs, 1, rate));
    table.row("  median of the rounds' own ratios", ratio(&runs, rate), "ratio");
    table.against("  processor time", of(&runs, 0, cpu), "s/GB", "fragments alone", of(&runs, 1, cpu));

    let chunks: Vec<_> = (0..60).map(media::connect).collect();
    let load = Load::new(STREAMS, &chunks, SMALL_FRAMES_BYTES);
    for (name, settings) in [
        ("frames of 1 KB, with their fragments of 34 KB", &[FRAMES][..]),
        ("frames of 1 KB alone", &[FRAMES, WITHOUT_PAYLOAD]),
    ] {
        let runs: Vec<Run> = (0..ROUNDS).map(|_| load::run(&kafka, &load, settings)).collect();
        let per_second = |run: &Run| run.fragments_per_second * media::CONNECT_FRAMES as f64;
        let median_of = |figure: &dyn Fn(&Run) -> f64| median(runs.iter().map(figure).collect());
        table.row(name, median_of(&per_second), "frames/s");
        table.row("  processor time", median_of(&cpu), "s/GB");
    }
}

fn video() -> Load {
    let chunks: Vec<_> = (0..10).map(|index| media::video(index, 500_000)).collect();
    Load::new(STREAMS, &chunks, BYTES)
}

/// Returns runs with and without settings, in turn.
fn compared(kafka: &Kafka, load: &Load, settings: &[(&str, &str)]) -> Vec<[Run; 2]> {
    (0..ROUNDS).map(|_| [load::run(kafka, load, settings), load::run(kafka, load, &[])]).collect()
}

fn of(runs: &[[Run; 2]], which: usize, figure: impl Fn(&Run) -> f64) -> f64 {
    median(runs.iter().map(|runs| figure(&runs[which])).collect())
}

fn ratio(runs: &[[Run; 2]], figure: impl Fn(&Run) -> f64) -> f64 {
    median(runs.iter().map(|[with, without]| figure(with) / figure(without)).collect())
}
