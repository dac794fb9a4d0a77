//! Faults about single fragments: errors that the archive reports within its media, and replaced chunks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/calls.rs"]
mod calls;
mod common;

use std::path::Path;

use common::*;
use kvs_simulator::{ErrorTagNames, Fault, FaultKind, Simulator, SimulatorConfig};
use serde_json::json;

/// Starts a simulator with a stream of five fragments.
async fn stage() -> (tempfile::TempDir, Simulator) {
    let folder = tempfile::tempdir().unwrap();
    let streams = vec![recorded(folder.path(), "s", 5)];
    let simulator = simulator_with(SimulatorConfig { streams, ..SimulatorConfig::default() }).await;
    (folder, simulator)
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    let found = bytes.windows(wanted.len()).filter(|window| *window == wanted).count();
    assert!(found <= 1);
    found
}

/// Splits a body into chunks at EBML headers, which do not occur within the media used here.
fn chunks(body: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..body.len()).filter(|&at| body[at..].starts_with(&[0x1A, 0x45, 0xDF, 0xA3])).collect();
    let ends = starts.iter().skip(1).copied().chain([body.len()]);
    starts.iter().zip(ends).map(|(&start, end)| &body[start..end]).collect()
}

async fn archive(simulator: &Simulator) -> Vec<u8> {
    let request = json!({ "StreamName": "s", "Fragments": numbers_of(5) });
    let response = calls::call(simulator, "/getMediaForFragmentList", &request).await;
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap().to_vec()
}

async fn media(simulator: &Simulator) -> Vec<u8> {
    let request = json!({ "StreamName": "s", "StartSelector": { "StartSelectorType": "EARLIEST" } });
    let response = calls::call(simulator, "/getMedia", &request).await;
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap().to_vec()
}

fn gone(fragments: Vec<String>, tag_names: ErrorTagNames, goes_on: bool) -> FaultKind {
    FaultKind::FragmentError {
        fragments,
        error_id: 3000,
        error_code: "FRAGMENT_NOT_FOUND".to_owned(),
        tag_names,
        goes_on,
    }
}

#[tokio::test]
async fn the_archive_reports_a_listed_fragment_as_gone_within_its_media() {
    let (_folder, simulator) = stage().await;
    for (names, goes_on, has) in [
        (ErrorTagNames::Seen, false, "AWS_KINESISVIDEO_ERROR_ID"),
        (ErrorTagNames::Documented, true, "AWS_KINESISVIDEO_EXCEPTION_ERROR_CODE"),
    ] {
        let kind = gone(vec![number(2), number(4)], names, goes_on);
        simulator.add_fault(Fault::new(kind).on("s").api("GetMediaForFragmentList"));
        let body = archive(&simulator).await;
        let chunks = chunks(&body);
        assert_eq!(chunks.len(), if goes_on { 5 } else { 3 });
        for (index, chunk) in chunks.iter().enumerate() {
            assert_eq!(find(chunk, number(index).as_bytes()), 1, "{index}");
            let is_error = index == 2 || index == 4;
            assert_eq!((find(chunk, has.as_bytes()), find(chunk, b"3000")), (is_error.into(), is_error.into()));
        }
    }
    let listed = calls::call(&simulator, "/listFragments", &json!({ "StreamName": "s" })).await;
    assert!(listed.text().await.unwrap().contains(&number(2)));
}

#[tokio::test]
async fn a_fragment_can_be_replaced_by_a_tests_own_bytes() {
    let (_folder, simulator) = stage().await;
    let whole = (media(&simulator).await, archive(&simulator).await);
    let mut bytes = chunk(7);
    bytes.extend(b"no more EBML");
    let kind = FaultKind::Replace { fragment: number(2), bytes };
    simulator.add_fault(Fault::new(kind).api("*").times(2));
    for (body, whole) in [(media(&simulator).await, whole.0), (archive(&simulator).await, whole.1)] {
        let (is, was) = (chunks(&body), chunks(&whole));
        assert_eq!((is.len(), was.len()), (5, 5));
        for index in [0, 1, 3, 4] {
            assert_eq!(is[index], was[index]);
        }
        assert!(is[2].ends_with(b"no more EBML"));
        assert_eq!(find(is[2], number(7).as_bytes()), 0);
        // The number occurs as number and as token.
        assert_eq!(is[2].windows(47).filter(|window| *window == number(2).as_bytes()).count(), 2);
    }
}

/// The error chunk equals the one observed from the service, byte for byte.
#[tokio::test]
async fn the_archives_error_equals_the_observed_one() {
    let Some(folder) = std::env::var_os("KVS_RECORDINGS").filter(|folder| !folder.is_empty()) else {
        println!("SKIPPED: KVS_RECORDINGS is not set, so there is no error of the archive to compare with");
        return;
    };
    let file = Path::new(&folder).join("../odd/chunks/archive-error-3000.bin");
    let seen = String::from_utf8_lossy(&std::fs::read(file).unwrap()).replace(&"@".repeat(47), &number(0));
    let (_folder, simulator) = stage().await;
    let fault = Fault::new(gone(vec![number(0)], ErrorTagNames::Seen, false));
    simulator.add_fault(fault.api("GetMediaForFragmentList"));
    assert_eq!(String::from_utf8_lossy(&archive(&simulator).await), seen);
}
