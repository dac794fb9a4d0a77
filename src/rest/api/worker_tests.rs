#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::connector::state;

fn shown(state: StreamState) -> Value {
    let key = OffsetKey { connector: "c".to_owned(), stream: "s".to_owned() };
    let mut status = state::StreamStatus::default();
    (status.state, status.errors) = (state, BTreeMap::from([("5000", 1)]));
    serde_json::to_value(StreamStatus::of(key, &status)).unwrap()
}

/// Clients rely on these names, nulls and omissions.
#[test]
fn each_state_of_a_stream_has_its_own_members() {
    let members = |more: Value| {
        let mut all = json!({
            "connector": "c", "stream": "s", "millis_behind_now": null, "caught_up": null, "errors": { "5000": 1 },
        });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    assert_eq!(shown(StreamState::Running), members(json!({ "state": "RUNNING" })));
    assert_eq!(shown(StreamState::WaitingForMemory), members(json!({ "state": "WAITING_FOR_MEMORY" })));
    assert_eq!(shown(StreamState::WaitingForOutput), members(json!({ "state": "WAITING_FOR_OUTPUT" })));
    let failed = StreamState::Failed { reason: "why".to_owned() };
    assert_eq!(shown(failed), members(json!({ "state": "FAILED", "reason": "why" })));
    let waits = StreamState::WaitingForRest { fragment_number: None };
    assert_eq!(shown(waits), members(json!({ "state": "WAITING_FOR_REST", "fragment_number": null })));
    let progress = BackfillProgress { permille: 125, fragments: 3, size_bytes: 99, eta_s: Some(70) };
    let backfill = json!({ "percent": 12.5, "fragments": 3, "size_bytes": 99, "eta_s": 70 });
    let expected = members(json!({ "state": "BACKFILLING", "backfill": backfill }));
    assert_eq!(shown(StreamState::Backfilling(progress)), expected);
}
