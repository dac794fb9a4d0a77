//! `make bench`: what the connector costs, as ratios to a peer measured in the same run.
//!
//! Prints a table and writes target/bench.json. Names of parts on the command line limit the run to those parts:
//! `cargo bench --bench bench -- java frames`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod encoding;
mod java;
mod latency;
mod live;
mod load;
mod media;
mod memory;
mod outputs;
mod peer;
mod processes;
mod scale;
mod splitter;
mod table;
mod takeover;
mod throughput;

use table::Table;

type Part = (&'static str, fn(&mut Table));

const PARTS: [Part; 11] = [
    ("splitter", splitter::run),
    ("throughput", throughput::run),
    ("java", java::run),
    ("encoding", encoding::run),
    ("metadata", outputs::metadata),
    ("frames", outputs::frames),
    ("latency", latency::run),
    ("takeover", takeover::run),
    ("memory", memory::run),
    ("live", live::run),
    ("scale", scale::run),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == peer::FLAG) {
        return peer::main(&arguments[1..]);
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut table = Table::default();
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            eprintln!("bench: {name}");
            part(&mut table);
        }
    }
    table.print();
    table.write("target/bench.json");
}
