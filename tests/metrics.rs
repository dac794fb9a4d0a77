//! Metrics take no memory that grows with time, whether they are scraped or not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use kvs_connect::telemetry;
use kvs_harness::process::resident_bytes;

/// Unbounded, they would take sixteen bytes per sample: 64 MB.
const SAMPLES: usize = 4_000_000;

/// Alone in its program, because it measures the process.
#[test]
fn samples_do_not_pile_up_without_scrapes() {
    let metrics = telemetry::install().unwrap();
    let before = resident_bytes(std::process::id());
    for _ in 0..40 {
        for _ in 0..SAMPLES / 40 {
            metrics::histogram!("kvs_connect_commit_latency_seconds").record(0.004);
        }
        metrics.upkeep(|_, _| true);
    }
    let grown = resident_bytes(std::process::id()).saturating_sub(before);
    println!("{SAMPLES} samples: grown by {} MB", grown >> 20);
    assert!(grown < 20 << 20, "grown by {} MB", grown >> 20);
    let rendered = metrics.render();
    assert!(rendered.contains(&format!("kvs_connect_commit_latency_seconds_count {SAMPLES}")), "{rendered}");
}
