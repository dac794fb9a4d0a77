#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;

fn check(settings: Settings, _stored: Option<&Settings>) -> Result<Checked, Refusal> {
    let streams = settings.get("kvs.streams").map(|list| list.split(',').map(str::to_owned).collect());
    Ok(Checked { settings, streams, ..Checked::default() })
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

/// Settings that name an offsets topic, after a move or before one.
fn in_topic(
    topic: Option<&str>,
    moved: Option<&OffsetsMove>,
) -> impl Fn(Settings, Option<&Settings>) -> Result<Checked, Refusal> {
    let (offsets_topic, moved) = (topic.map(str::to_owned), moved.cloned());
    move |settings, _| {
        let (offsets_topic, moved) = (offsets_topic.clone(), moved.clone());
        Ok(Checked { settings, streams: Some(Vec::new()), offsets_topic, moved, ..Checked::default() })
    }
}

fn moved_to(topic: Option<&str>, id: &str) -> OffsetsMove {
    let to = AlteredShards { topic: topic.map(str::to_owned), shards: vec![crate::model::ShardId(0)] };
    OffsetsMove { id: id.to_owned(), to }
}

fn home(view: &ConfigView) -> (Option<String>, Option<String>) {
    let OffsetsHome { topic, moving, .. } = view.offsets_home("c").unwrap();
    (topic, moving)
}

#[test]
fn offsets_are_moved_before_settings_name_another_topic_and_only_while_nobody_publishes() {
    let mut view = Arc::default();
    let elsewhere = |refused: Result<Change<bool>, Refusal>, from: Option<&str>| {
        let refused = refused.unwrap_err();
        assert!(
            matches!(&refused, Refusal::OffsetsElsewhere { from: found, .. } if found.as_deref() == from),
            "{refused}"
        );
    };
    // One that does not exist yet.
    elsewhere(put(&view, "c", settings("a"), &in_topic(Some("mine"), None)), None);
    let change = begin_move(&view, "c", None, "1").unwrap();
    made(&mut view, change);
    assert_eq!(home(&view), (None, Some("1".to_owned())));
    // Under another move's id nothing is completed, nor to another topic.
    elsewhere(put(&view, "c", settings("a"), &in_topic(Some("mine"), Some(&moved_to(Some("mine"), "2")))), None);
    elsewhere(put(&view, "c", settings("a"), &in_topic(Some("mine"), Some(&moved_to(Some("other"), "1")))), None);
    let change = put(&view, "c", settings("a"), &in_topic(Some("mine"), Some(&moved_to(Some("mine"), "1")))).unwrap();
    // The owners of its shards hear of it.
    let events: Vec<_> = change.records.iter().map(|(key, value)| records::read(key, value.as_deref())).collect();
    assert!(matches!(&events[0], records::ConfigRecord::Altered(altered) if altered.topic.as_deref() == Some("mine")));
    made(&mut view, change);
    assert_eq!(home(&view), (Some("mine".to_owned()), None));
    assert_eq!(view.own_offsets_topics(), BTreeSet::from(["mine".to_owned()]));
    // Whoever looked before finds them elsewhere, and is told where they are and where they were looked for.
    let mut gone = Arc::clone(&view);
    let change = delete(&gone, "c").unwrap();
    made(&mut gone, change);
    let (name, from, to) = ("c".to_owned(), Some("mine".to_owned()), None);
    assert_eq!(begin_move(&gone, "c", None, "9").unwrap_err(), Refusal::OffsetsElsewhere { name, from, to });
    // It runs: first it has to be stopped.
    for refused in [
        put(&view, "c", settings("a"), &in_topic(None, None)).map(|_| ()),
        begin_move(&view, "c", Some("mine"), "3").map(|_| ()),
    ] {
        let refused = refused.unwrap_err();
        let from = Some("mine".to_owned());
        assert_eq!(refused, Refusal::NotStoppedToMove { name: "c".to_owned(), from });
        // Both ways out are named.
        let text = refused.to_string();
        assert!(text.contains("set offsets.storage.topic=mine") && text.contains("/connectors/c/stop"), "{text}");
    }
    // That the topic stays needs nothing.
    assert!(put(&view, "c", settings("b"), &in_topic(Some("mine"), None)).is_ok());
    let change = delete(&view, "c").unwrap();
    made(&mut view, change);
    // Its offsets stay where they are, and the topic is nobody's who runs.
    assert_eq!(home(&view), (Some("mine".to_owned()), None));
    assert!(view.own_offsets_topics().is_empty());
    elsewhere(put(&view, "c", settings("a"), &in_topic(None, None)), Some("mine"));
    let change = begin_move(&view, "c", Some("mine"), "4").unwrap();
    made(&mut view, change);
    let change = put(&view, "c", settings("a"), &in_topic(None, Some(&moved_to(None, "4")))).unwrap();
    made(&mut view, change);
    assert_eq!(home(&view), (None, None));
}

/// What a move has copied is out of date when anything was done with the connector since: it is not completed.
#[test]
fn whatever_is_done_with_a_connector_ends_a_move_that_has_begun() {
    let stopped = || {
        let mut view = Arc::default();
        let change = create(&view, "c", settings("a"), TargetState::Stopped, &in_topic(None, None)).unwrap();
        made(&mut view, change);
        let change = begin_move(&view, "c", None, "1").unwrap();
        made(&mut view, change);
        assert_eq!(home(&view), (None, Some("1".to_owned())));
        view
    };
    let altered_shards = moved_to(None, "").to;
    type End<'a> = &'a dyn Fn(&ConfigView) -> Vec<KeyValue>;
    let ends: [End<'_>; 5] = [
        &|view| begin_alteration(view, "c").unwrap().records,
        &|view| set_target(view, "c", TargetState::Started).unwrap().records,
        &|view| delete(view, "c").unwrap().records,
        &|view| put(view, "c", settings("b"), &in_topic(None, None)).unwrap().records,
        &|view| altered(view, "c", &altered_shards, Extent::Some).unwrap().records,
    ];
    for end in ends {
        let mut view = stopped();
        let records = end(&view);
        made(&mut view, Change { records, answer: () });
        assert_eq!(home(&view), (None, None));
        let completed = put(&view, "c", settings("a"), &in_topic(Some("mine"), Some(&moved_to(Some("mine"), "1"))));
        assert!(completed.is_err());
    }
    // While offsets are moved none is altered: what has read them already would go without.
    let view = stopped();
    assert_eq!(may_alter(&view, "c", None).unwrap_err(), Refusal::OffsetsMoving("c".to_owned()));
    let mut begun = stopped();
    let change = begin_alteration(&begun, "c").unwrap();
    made(&mut begun, change);
    assert_eq!(may_alter(&begun, "c", None), Ok(()));
    // Those that were moved after they had been altered are elsewhere, as altered.
    let elsewhere = AlteredShards { topic: Some("mine".to_owned()), shards: Vec::new() };
    assert!(matches!(altered(&view, "c", &elsewhere, Extent::Some), Err(Refusal::OffsetsElsewhere { .. })));
}

#[test]
fn rule_13_no_connector_writes_to_another_ones_offsets_topic() {
    let mut view = Arc::default();
    let change = begin_move(&view, "c", None, "1").unwrap();
    made(&mut view, change);
    let change = put(&view, "c", settings("a"), &in_topic(Some("mine"), Some(&moved_to(Some("mine"), "1")))).unwrap();
    made(&mut view, change);
    let writes = |topic: &'static str| {
        move |settings: Settings, _: Option<&Settings>| {
            Ok(Checked { settings, topics: vec![crate::model::Template::parse(topic).unwrap()], ..Checked::default() })
        }
    };
    let data = Settings::from([("topic".to_owned(), "data".to_owned())]);
    for exists in [true, false] {
        let refused = put(&view, "d", data.clone(), &writes("mine")).unwrap_err();
        assert!(refused.to_string().contains("offsets topic of connector \"c\""), "{refused}");
        // Its offsets stay, when it is deleted, too.
        if exists {
            let change = delete(&view, "c").unwrap();
            made(&mut view, change);
        }
    }
    let change = put(&view, "d", data, &writes("data")).unwrap();
    made(&mut view, change);
    let refused = put(&view, "e", settings("a"), &in_topic(Some("data"), None)).unwrap_err();
    assert!(refused.to_string().contains("connector \"d\" writes to \"data\""), "{refused}");
}

#[test]
fn a_topic_has_records_of_one_kind_whatever_connectors_write_there() {
    let check = |settings: Settings, _: Option<&Settings>| Ok(Checked { settings, ..Checked::default() });
    let with = |pairs: &[(&str, &str)]| -> Settings {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let mut view = Arc::default();
    let change = put(&view, "a", with(&[("topic", "kvs"), ("metadata.topic", "meta.${connector}")]), &check).unwrap();
    made(&mut view, change);
    let refused = put(&view, "b", with(&[("topic", "meta.a")]), &check).unwrap_err();
    assert!(refused.to_string().contains("topic: \"meta.a\" is the metadata.topic of connector \"a\""), "{refused}");
    let refused = put(&view, "b", with(&[("errors.deadletterqueue.topic.name", "kvs")]), &check).unwrap_err();
    assert!(refused.to_string().contains("is the topic of connector \"a\""), "{refused}");
    // Fragments of several connectors in one topic are records of one kind; and what a connector had itself is its own affair.
    put(&view, "b", with(&[("topic", "kvs"), ("metadata.topic", "meta.${stream}")]), &check).unwrap();
    put(&view, "a", with(&[("topic", "meta.a"), ("metadata.topic", "kvs")]), &check).unwrap();
}

/// A later config offset is enough for a move whose shards were altered for others: nothing was done with the connector.
#[test]
fn a_move_goes_on_at_a_later_config_offset_only_as_long_as_nothing_was_done_with_its_connector() {
    let mut view = Arc::default();
    let change = begin_move(&view, "c", None, "1").unwrap();
    made(&mut view, change);
    // Another connector's move changes nothing.
    let change = begin_move(&view, "d", None, "2").unwrap();
    made(&mut view, change);
    let again = continue_move(&view, "c", "1").unwrap();
    // The record is written again, so that the config offset is a later one.
    assert!(again.answer && again.records.len() == 1);
    made(&mut view, again);
    assert_eq!(home(&view), (None, Some("1".to_owned())));
    let other = continue_move(&view, "c", "9").unwrap();
    assert!(!other.answer && other.records.is_empty());
    let change = create(&view, "c", settings("a"), TargetState::Started, &in_topic(None, None)).unwrap();
    made(&mut view, change);
    assert!(!continue_move(&view, "c", "1").unwrap().answer);
}

#[test]
fn a_topic_that_is_begun_again_for_one_connector_is_not_for_the_others() {
    let mut view = Arc::default();
    for name in ["c", "d", "gone", "elsewhere"] {
        let topic = if name == "elsewhere" { "other" } else { "mine" };
        let change = begin_move(&view, name, None, name).unwrap();
        made(&mut view, change);
        let moved = moved_to(Some(topic), name);
        let change = put(&view, name, settings("a"), &in_topic(Some(topic), Some(&moved))).unwrap();
        made(&mut view, change);
        let change = set_target(&view, name, TargetState::Stopped).unwrap();
        made(&mut view, change);
    }
    let change = delete(&view, "gone").unwrap();
    made(&mut view, change);
    let lost = |view: &ConfigView| {
        ["c", "d", "gone", "elsewhere"]
            .into_iter()
            .filter(|name| view.offsets_home(name).unwrap().lost)
            .collect::<Vec<_>>()
    };
    let change = put(&view, "common", settings("a"), &in_topic(None, None)).unwrap();
    made(&mut view, change);
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(view.with_offsets_in(Some("mine")), of(&["c", "d", "gone"]));
    assert_eq!(view.with_offsets_in(None), of(&["common"]));
    let change = begin_again(&view, "c", "mine").unwrap();
    made(&mut view, change);
    assert_eq!(lost(&view), ["d", "gone"]);
    // One that exists is neither moved nor run as if it had published nothing; one that was deleted starts over elsewhere.
    let is_lost = |refused: Refusal| matches!(refused, Refusal::OffsetsLost { topic, .. } if topic == "mine");
    assert!(is_lost(begin_move(&view, "d", Some("mine"), "3").unwrap_err()));
    assert!(is_lost(are_there("d", &view.offsets_home("d").unwrap()).unwrap_err()));
    are_there("c", &view.offsets_home("c").unwrap()).unwrap();
    begin_move(&view, "gone", Some("mine"), "4").unwrap();
    // In the same topic it does not.
    let change = put(&view, "gone", settings("a"), &in_topic(Some("mine"), None)).unwrap();
    made(&mut view, change);
    assert_eq!(lost(&view), ["d", "gone"]);
    // Some offsets are not all of them.
    let shards = moved_to(Some("mine"), "").to;
    let change = altered(&view, "d", &shards, Extent::Some).unwrap();
    made(&mut view, change);
    assert_eq!(lost(&view), ["d", "gone"]);
    let change = altered(&view, "d", &shards, Extent::All).unwrap();
    made(&mut view, change);
    assert_eq!(lost(&view), ["gone"]);
    // A connector that may run, or is elsewhere, begins nothing again.
    assert_eq!(begin_again(&view, "gone", "mine").unwrap_err(), Refusal::NotStopped("gone".to_owned()));
    assert!(matches!(begin_again(&view, "elsewhere", "mine").unwrap_err(), Refusal::OffsetsElsewhere { .. }));
}
