//! Which members belong to which start selector (AWS API reference, GetMedia, StartSelector).

use serde_json::Value;

use crate::check::Violation;

const COMPANIONS: [&str; 3] = ["AfterFragmentNumber", "StartTimestamp", "ContinuationToken"];

/// The member that has to stand beside a StartSelectorType; `None`: none may.
fn companion_of(selector_type: &str) -> Option<&'static str> {
    match selector_type {
        "FRAGMENT_NUMBER" => Some("AfterFragmentNumber"),
        "SERVER_TIMESTAMP" | "PRODUCER_TIMESTAMP" => Some("StartTimestamp"),
        "CONTINUATION_TOKEN" => Some("ContinuationToken"),
        _ => None,
    }
}

pub(crate) fn companions(selector: &Value, found: &mut Vec<Violation>) {
    let Some(kind) = selector["StartSelectorType"].as_str() else { return };
    let wanted = companion_of(kind);
    for name in COMPANIONS {
        let there = selector.get(name).is_some_and(|value| !value.is_null());
        let reason = match (Some(name) == wanted, there) {
            (true, false) => format!("is required for {kind}"),
            (false, true) => format!("is not for {kind}"),
            _ => continue,
        };
        found.push(Violation { member: format!("StartSelector.{name}"), reason });
    }
}
