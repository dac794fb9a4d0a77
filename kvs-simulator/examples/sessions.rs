//! Writes whole sessions of the simulator to a folder, as the initial corpus of the splitter's fuzzer.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../tests/common/calls.rs"]
mod calls;
#[path = "../tests/common/mod.rs"]
mod common;

use std::path::PathBuf;
use std::time::Duration;

use kvs_simulator::{CutHow, Fault, FaultKind, Limits, Repeat, SimulatorConfig};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let Some(folder) = std::env::args().nth(1).map(PathBuf::from) else { panic!("expected a folder") };
    let sources = tempfile::tempdir().unwrap();
    let document = sources.path().join("producer.mkv");
    std::fs::write(&document, common::producer_document(5)).unwrap();
    let mut any = common::recorded(sources.path(), "any", 1);
    any.file = document;
    let mut twice = common::recorded(sources.path(), "twice", 3);
    twice.repeat = Repeat::Times(2);
    let streams = vec![common::recorded(sources.path(), "recorded", 4), any, twice];
    let limits = Limits { idle_timeout: Duration::from_millis(50), calls: false, ..Limits::default() };
    let simulator = common::simulator_with(SimulatorConfig { streams, limits, ..SimulatorConfig::default() }).await;
    let error = |after_fragments| FaultKind::ErrorTag { after_fragments, error_id: 5000, error_code: "X".to_owned() };
    let faults = [
        None,
        Some(error(0)),
        Some(error(2)),
        Some(FaultKind::Cut { at_byte: 3_000, how: CutHow::Clean }),
        Some(FaultKind::Omit { fragments: 1 }),
    ];
    let numbers = common::numbers_of(4);
    for (index, fault) in faults.into_iter().enumerate() {
        for stream in ["recorded", "any", "twice"] {
            let from = json!({ "StreamName": stream, "StartSelector": { "StartSelectorType": "EARLIEST" } });
            let list = json!({ "StreamName": stream, "Fragments": numbers });
            // The first byte determines how the fuzzer cuts, the second which sign completes a fragment.
            for (mode, api, path, request) in
                [(0, "GetMedia", "/getMedia", from), (1, "GetMediaForFragmentList", "/getMediaForFragmentList", list)]
            {
                if let Some(kind) = &fault {
                    simulator.add_fault(Fault::new(kind.clone()).api(api).on(stream));
                }
                let response = calls::call(&simulator, path, &request).await;
                if response.status() == 200 {
                    let body = response.bytes().await.unwrap();
                    let file = folder.join(format!("{stream}-{api}-{index}"));
                    std::fs::write(file, [&[41, mode][..], &body].concat()).unwrap();
                }
            }
        }
    }
}
