#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::headers::tests::call;
use super::*;
use crate::kafka::topics::Fault;
use crate::kafka::{DataTopic, TopicFacts};
use crate::model::StoredOffset;
use crate::model::{RecordTimestamp, ValueFormat};
use crate::output::fragments::Fragments;
use crate::output::framing::Framing;
use crate::output::kind::OutputTopic;
use crate::output::metadata::Metadata;
use crate::output::stream::{Arrived, PublishedWith, StreamOutputs};
use crate::output::{FragmentError, FragmentOutput, MetadataOutput, RecordForm, TimestampPolicy};

/// Opens every topic, with four partitions, but for one that Kafka does not accept.
struct EveryTopic(Arc<AtomicUsize>);

impl OpenTopic for EveryTopic {
    fn open<'a>(
        &'a self,
        kind: &'static dyn OutputKind,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Arc<dyn Output>, OpenError>> {
        if name == "kvs.refused" {
            let fault = Fault { key: "topic".to_owned(), reason: "Kafka does not accept it".to_owned(), is_name: true };
            let error = TopicError::Refused { name: name.to_owned(), faults: vec![fault] };
            return Box::pin(std::future::ready(Err(error.into())));
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { Ok(output(kind.id(), name)) })
    }
}

fn output(id: OutputId, name: &str) -> Arc<dyn Output> {
    let topic = OutputTopic::new(name, Arc::new(DataTopic::new(name, 4)), &TopicFacts::default());
    let timestamps = TimestampPolicy {
        wanted: RecordTimestamp::Ingest,
        retention_ms: None,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
    };
    let form = (RecordForm::default(), Framing::SingleObject);
    if id == OutputId::METADATA {
        return Arc::new(MetadataOutput::new(topic, form, ValueFormat::Json, timestamps).unwrap());
    }
    Arc::new(FragmentOutput::new(topic, form, timestamps).unwrap())
}

struct Fixture {
    opened: Arc<AtomicUsize>,
    outputs: Outputs,
}

fn fixture(topic: &str, metadata: &str, topics_max: usize) -> Fixture {
    let count = Arc::new(AtomicUsize::new(0));
    let parse = |text: &str| Template::parse(text).unwrap();
    let taken = Taken {
        connector: "c".to_owned(),
        topics: vec![("kvs.offsets".to_owned(), "the worker's offset.storage.topic".to_owned())],
        templates: vec![("topic", parse(topic)), ("metadata.topic", parse(metadata))],
        group: GroupTopics::default(),
    };
    let other = BTreeMap::from([("metadata.topic".to_owned(), "kvs.theirs".to_owned())]);
    taken.group.set(std::iter::once((&"other".to_owned(), &other)));
    let opened = Arc::new(OpenedTopics::new(Box::new(EveryTopic(Arc::clone(&count))), taken, topics_max));
    let named = |kind: &'static dyn OutputKind, setting, text| {
        Route::Named(NamedTopics {
            kind,
            setting,
            template: Template::parse(text).unwrap(),
            opened: Arc::clone(&opened),
        })
    };
    let routes = vec![named(&Metadata, "metadata.topic", metadata), named(&Fragments, "topic", topic)];
    Fixture { opened: count, outputs: Outputs::of_routes(routes, None, None) }
}

/// Returns the topics that a fragment's records are written to, and the partition of the last one.
fn published(stream: &mut StreamOutputs, fragment: Fragment) -> Result<(Vec<String>, i32, StoredOffset), ProjectError> {
    let continuity = kvs_mkv::Continuity::default();
    let arrived = Arrived { fragment, content_type: None, discontinuity: false, continuity, permit: Box::new(()) };
    let projected = futures::executor::block_on(stream.project(arrived, PublishedWith::default()));
    let publication = projected.map_err(|unpublished| unpublished.error)?;
    let topics = publication.records.iter().map(|record| record.topic.to_string()).collect();
    Ok((topics, publication.records.last().unwrap().partition, publication.offset.unwrap()))
}

fn stream(outputs: &Outputs, position: Option<&StoredOffset>) -> StreamOutputs {
    let key = Arc::new(OffsetKey::of_stream("c", "door"));
    StreamOutputs::new(outputs, key, "door", position).unwrap()
}

#[test]
fn each_fragment_goes_where_its_tags_lead_and_topics_are_opened_once() {
    let Fixture { opened, outputs } = fixture("kvs.${tag:site}", "meta.${stream}", 10);
    let mut door = stream(&outputs, None);
    let mut partitions = Vec::new();
    for (number, site) in [("1", "a"), ("2", "b"), ("3", "a")] {
        let (topics, partition, offset) = published(&mut door, call(number, &[("site", site)])).unwrap();
        assert_eq!(topics, ["meta.door".to_owned(), format!("kvs.{site}")]);
        let stored = offset.partition_in(&format!("kvs.{site}"));
        assert_eq!(stored, Some(partition));
        partitions.push(offset.data_partitions.len());
    }
    assert_eq!((opened.load(Ordering::Relaxed), partitions), (3, vec![2, 3, 3]));
    let needs = |topic: &str| {
        let topics = BTreeSet::from([Arc::<str>::from(topic)]);
        [("door"), ("gate")].map(|stream| outputs.needs_all(&OffsetKey::of_stream("c", stream), &topics))
    };
    assert_eq!((needs("kvs.b"), needs("kvs.c")), ([true, false], [false, false]));
}

#[test]
fn a_stream_keeps_its_partition_in_topics_that_it_comes_back_to() {
    let Fixture { outputs, .. } = fixture("kvs.${tag:site}", "meta.${stream}", 10);
    let (_, _, mut offset) = published(&mut stream(&outputs, None), call("1", &[("site", "a")])).unwrap();
    for kept in &mut offset.data_partitions {
        kept.partition = 3 - kept.partition;
    }
    let mut again = stream(&outputs, Some(&offset));
    let (_, _, between) = published(&mut again, call("2", &[("site", "b")])).unwrap();
    let (_, partition, _) = published(&mut stream(&outputs, Some(&between)), call("3", &[("site", "a")])).unwrap();
    assert_eq!(Some(partition), offset.partition_in("kvs.a"));
}

#[test]
fn a_name_that_is_no_topics_is_refused_by_name() {
    let long = "x".repeat(300);
    for (site, expected) in [
        (None, "topic=kvs.${tag:site}: the fragment has no value for ${tag:site}; it has no tags (those of its stream"),
        (Some("../etc"), "topic=kvs.${tag:site}: \"kvs.../etc\" is not a topic name"),
        (Some("Köln"), "topic=kvs.${tag:site}: \"kvs.Köln\" is not a topic name"),
        (Some("a\nb"), "topic=kvs.${tag:site}: \"kvs.a\\nb\" is not a topic name"),
        (Some(&*long), "xxx\"… is not a topic name: a name of 1 to 249 characters"),
        (Some("offsets"), "topic=kvs.${tag:site}: kvs.offsets is the worker's offset.storage.topic"),
        (Some("theirs"), "topic=kvs.${tag:site}: kvs.theirs is the metadata.topic of connector \"other\""),
        (
            Some("refused"),
            "topic=kvs.${tag:site}: topic kvs.refused cannot be created: topic: Kafka does not accept it",
        ),
    ] {
        let Fixture { opened, outputs } = fixture("kvs.${tag:site}", "meta.${stream}", 10);
        let tags: Vec<(&str, &str)> = site.iter().map(|site| ("site", *site)).collect();
        let error = published(&mut stream(&outputs, None), call("1", &tags)).unwrap_err();
        assert!(matches!(error, ProjectError::Fragment(FragmentError::Route(_))), "{error:?}");
        assert!(error.to_string().contains(expected), "{error}");
        // The metadata's alone: nothing is created for a name that is refused.
        assert_eq!(opened.load(Ordering::Relaxed), 1, "{site:?}");
    }
}

#[test]
fn an_empty_tag_is_a_name_only_where_there_is_more() {
    let Fixture { outputs, .. } = fixture("kvs${tag:site}", "meta.${stream}", 10);
    let (topics, ..) = published(&mut stream(&outputs, None), call("1", &[("site", "")])).unwrap();
    assert_eq!(topics, ["meta.door", "kvs"]);
}

#[test]
fn topics_of_other_outputs_and_more_than_allowed_are_refused() {
    let Fixture { outputs, .. } = fixture("kvs.${tag:site}", "kvs.${stream}", 3);
    let mut door = stream(&outputs, None);
    let mut error = |number: &str, site: &str| match published(&mut door, call(number, &[("site", site)])) {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    assert!(error("1", "door").contains("kvs.door is a topic of the connector's metadata"), "{}", error("1", "door"));
    assert_eq!((error("2", "a"), error("3", "b")), (String::new(), String::new()));
    assert_eq!(
        error("4", "c"),
        "topic=kvs.${tag:site}: kvs.c would be one topic more than topics.max allows, which is 3"
    );
    // Those that are open stay so.
    assert_eq!(error("5", "a"), "");
}

/// Whatever was opened before: another worker, or this one after a restart, decides alike.
#[test]
fn a_name_that_two_templates_lead_to_belongs_to_the_one_with_more_text_of_its_own() {
    let Fixture { opened, outputs } = fixture("kvs.${tag:site}", "kvs.${stream}.metadata", 10);
    let error = published(&mut stream(&outputs, None), call("1", &[("site", "gate.metadata")])).unwrap_err();
    let expected = "kvs.gate.metadata is a topic of the connector's metadata.topic=kvs.${stream}.metadata";
    assert!(error.to_string().contains(expected), "{error}");
    let (topics, ..) = published(&mut stream(&outputs, None), call("2", &[("site", "gate")])).unwrap();
    assert_eq!(topics, ["kvs.door.metadata", "kvs.gate"]);
    assert_eq!(opened.load(Ordering::Relaxed), 2);
}

#[test]
fn kafkas_own_topics_are_refused() {
    let Fixture { outputs, .. } = fixture("__${tag:site}", "meta.${stream}", 10);
    let error = published(&mut stream(&outputs, None), call("1", &[("site", "consumer_offsets")])).unwrap_err();
    assert!(error.to_string().contains("__consumer_offsets is Kafka's own topic"), "{error}");
}

#[test]
fn a_skipped_fragment_is_a_discontinuity_of_the_next() {
    let Fixture { outputs, .. } = fixture("kvs.${tag:site}", "meta.${stream}", 10);
    let mut door = stream(&outputs, None);
    let value = |stream: &mut StreamOutputs, number: &str| {
        let (fragment, continuity) = (call(number, &[("site", "a")]), kvs_mkv::Continuity::default());
        let arrived = Arrived { fragment, content_type: None, discontinuity: false, continuity, permit: Box::new(()) };
        let projected = futures::executor::block_on(stream.project(arrived, PublishedWith::default()));
        let publication = projected.ok().unwrap();
        String::from_utf8(publication.records[0].value.as_deref().unwrap().to_vec()).unwrap()
    };
    assert!(value(&mut door, "1").contains("\"discontinuity\":false"));
    let number = "2".parse().unwrap();
    let letter = crate::output::DeadLetter {
        stage: "route",
        reason: "why",
        number: &number,
        server_timestamp: None,
        producer_timestamp: None,
        bytes: &[],
        size_bytes: None,
        content_type: "video/x-matroska",
    };
    assert!(door.dead_letter(&letter, None).unwrap().is_empty(), "there is no topic for it");
    assert!(value(&mut door, "3").contains("\"discontinuity\":true"));
    assert!(value(&mut door, "4").contains("\"discontinuity\":false"));
}
