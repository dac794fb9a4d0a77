#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

fn check(settings: Settings, _stored: Option<&Settings>) -> Result<Checked, Refusal> {
    let streams = settings.get("kvs.streams").map(|list| list.split(',').map(str::to_owned).collect());
    Ok(Checked { settings, streams })
}

fn settings(streams: &str) -> Settings {
    Settings::from([("kvs.streams".to_owned(), streams.to_owned())])
}

fn made<T>(view: &mut Arc<ConfigView>, change: Change<T>) {
    for (key, value) in change.records {
        ConfigView::apply(view, &key, value.as_deref());
    }
}

fn tasks_of(view: &ConfigView) -> Vec<(u32, String)> {
    view.get("c").unwrap().tasks.into_iter().collect()
}

fn task(id: u32, stream: &str) -> (u32, String) {
    (id, stream.to_owned())
}

#[test]
fn a_stream_keeps_its_task_id_as_long_as_it_stays() {
    let mut view = Arc::default();
    let change = create(&view, "c", settings("a,b,c"), TargetState::Started, &check).unwrap();
    made(&mut view, change);
    assert_eq!(tasks_of(&view), [task(0, "a"), task(1, "b"), task(2, "c")]);
    let change = put(&view, "c", settings("d,c,b,e"), &check).unwrap();
    made(&mut view, change);
    assert_eq!(tasks_of(&view), [task(0, "d"), task(1, "b"), task(2, "c"), task(3, "e")]);
    let gone = BTreeSet::from(["b".to_owned()]);
    let change = found(&view, "c", &BTreeSet::from(["x".to_owned(), "c".to_owned()]), &gone).unwrap();
    made(&mut view, change);
    assert_eq!(tasks_of(&view), [task(0, "d"), task(1, "x"), task(2, "c"), task(3, "e")]);
}

#[test]
fn a_connector_is_made_once_and_its_own_record_comes_last_and_goes_first() {
    let mut view = Arc::default();
    let change = create(&view, "c", settings("a"), TargetState::Stopped, &check).unwrap();
    assert!(change.records.last().unwrap().0.starts_with(b"connector-"));
    made(&mut view, change);
    assert_eq!(view.target("c"), TargetState::Stopped);
    let again = create(&view, "c", settings("a"), TargetState::Started, &check);
    assert_eq!(again.unwrap_err(), Refusal::AlreadyExists("c".to_owned()));
    let change = delete(&view, "c").unwrap();
    assert!(change.records[0].0.starts_with(b"connector-"));
    // Nothing of the connector stays in the log for ever.
    let gone = ["connector-c", "target-state-c", "task-c-0"].map(|key| (key.as_bytes().to_vec(), None));
    assert_eq!(change.records, gone);
    made(&mut view, change);
    assert!(view.get("c").is_none() && view.tasks("c").is_none_or(BTreeMap::is_empty));
    // A connector that is created again inherits nothing.
    let change = create(&view, "c", settings("a"), TargetState::Started, &check).unwrap();
    made(&mut view, change);
    assert_eq!(view.target("c"), TargetState::Started);
}

#[test]
fn what_changes_nothing_writes_nothing() {
    let mut view = Arc::default();
    let change = put(&view, "c", settings("a,b"), &check).unwrap();
    assert!(change.answer);
    made(&mut view, change);
    let change = put(&view, "c", settings("a,b"), &check).unwrap();
    assert!(!change.answer && change.records.is_empty(), "{change:?}");
    assert!(set_target(&view, "c", TargetState::Started).unwrap().records.is_empty());
    let nothing = BTreeSet::new();
    assert!(found(&view, "c", &BTreeSet::from(["a".to_owned()]), &nothing).unwrap().records.is_empty());
}

#[test]
fn a_patch_with_null_removes() {
    let mut view = Arc::default();
    let mut first = settings("a");
    first.insert("topic".to_owned(), "t".to_owned());
    let change = put(&view, "c", first, &check).unwrap();
    made(&mut view, change);
    let changes = BTreeMap::from([("topic".to_owned(), None), ("x".to_owned(), Some("1".to_owned()))]);
    let change = patch(&view, "c", &changes, &check).unwrap();
    made(&mut view, change);
    let now = view.get("c").unwrap().settings.unwrap();
    assert_eq!(now.keys().collect::<Vec<_>>(), ["kvs.streams", "x"]);
    assert_eq!(patch(&view, "d", &changes, &check).unwrap_err(), Refusal::NotFound("d".to_owned()));
}

#[test]
fn only_what_there_is_can_be_restarted() {
    let mut view = Arc::default();
    let change = put(&view, "c", settings("a"), &check).unwrap();
    made(&mut view, change);
    let request = |task| RestartRequest { connector: "c".to_owned(), include_tasks: false, only_failed: false, task };
    assert_eq!(restart(&view, &request(Some(0))).unwrap().records.len(), 1);
    assert_eq!(restart(&view, &request(Some(1))).unwrap_err(), Refusal::TaskNotFound("c".to_owned(), 1));
}
