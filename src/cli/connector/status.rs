//! What a connector's status, as a worker returns it, says of the connector and its tasks.

use serde_json::Value;

/// Returns the connector and its tasks, each with a name of its own: `connector`, `task 0` and so on.
pub(super) fn parts(status: &Value) -> impl Iterator<Item = (String, &Value)> {
    let tasks = tasks(status).iter().map(|task| (format!("task {}", task["id"]), task));
    std::iter::once(("connector".to_owned(), &status["connector"])).chain(tasks)
}

/// Returns the states of the tasks, `-` for one that has none.
pub(super) fn states(status: &Value) -> Vec<&str> {
    tasks(status).iter().map(|task| task["state"].as_str().unwrap_or("-")).collect()
}

/// Returns why a part is not as it should be, if the worker gives a reason.
pub(super) fn trace(part: &Value) -> Option<&str> {
    part["trace"].as_str().filter(|trace| !trace.is_empty())
}

pub(super) fn tasks(status: &Value) -> &[Value] {
    status["tasks"].as_array().map_or(&[], Vec::as_slice)
}
