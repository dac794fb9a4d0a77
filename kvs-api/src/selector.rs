//! Which members belong to which start selector (AWS API reference, GetMedia, StartSelector).

use serde_json::Value;

use crate::violation::Violation;

const COMPANIONS: [&str; 3] = ["AfterFragmentNumber", "StartTimestamp", "ContinuationToken"];

/// Returns the member that a StartSelectorType requires, or `None` if it allows none.
fn companion_of(selector_type: &str) -> Option<&'static str> {
    match selector_type {
        "FRAGMENT_NUMBER" => Some("AfterFragmentNumber"),
        "SERVER_TIMESTAMP" | "PRODUCER_TIMESTAMP" => Some("StartTimestamp"),
        "CONTINUATION_TOKEN" => Some("ContinuationToken"),
        _ => None,
    }
}

/// Finds companions of a start selector that are missing or superfluous.
pub(crate) fn check_companions(selector: &Value, found: &mut Vec<Violation>) {
    let Some(kind) = selector["StartSelectorType"].as_str() else { return };
    let wanted = companion_of(kind);
    for name in COMPANIONS {
        let is_there = selector.get(name).is_some_and(|value| !value.is_null());
        let reason = match (Some(name) == wanted, is_there) {
            (true, false) => format!("is required for {kind}"),
            (false, true) => format!("is not allowed with {kind}"),
            _ => continue,
        };
        found.push(Violation { member: format!("StartSelector.{name}"), reason });
    }
}
