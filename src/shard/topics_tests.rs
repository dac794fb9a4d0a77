//! Topics that accept no records: which streams fail, and which do not.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::context::{OwnerContext, OwnerSettings};
use super::fake::{Did, FakeLog};
use super::gate::ConfigOffset;
use super::owner::{Ended, Owner};
use super::positions::SharedPositions;
use super::{ShardLease, Sources, StartContext};
use crate::model::ShardId;
use crate::model::contract::Contract;
use crate::model::log::{LogErrorKind, ShardLog};
use crate::model::sequence::Sequences;
use crate::model::{DataPartition, OffsetKey, StoredOffset};
use crate::model::{OnRefused, OutputId, Publication, Record, RecordOutput};
use kvs_mkv::FragmentNumber;

/// One stream per topic, with the topic's name. A stream that was given up sends no more.
#[derive(Clone, Default)]
struct Topics {
    failed: Arc<Mutex<BTreeSet<String>>>,
    /// Why the shard could not be acquired.
    blocked: Arc<Mutex<Vec<String>>>,
    /// The number of starts.
    started: Arc<Mutex<usize>>,
    /// If set, a stream is started again only if its topic is available in this log.
    log: Option<FakeLog>,
    /// Every fifth fragment of `good` has a notification, and comes again with another one.
    tells: bool,
    /// Each stream has a second output, into `TOPIC metadata`.
    has_metadata: bool,
    /// Fragments that were already published.
    repeated: Arc<Mutex<Vec<(String, String)>>>,
}

fn record(topic: &str, key: String) -> Record {
    Record {
        output: Some(match topic {
            "told" => RecordOutput { id: OutputId::NOTIFICATIONS, on_refused: OnRefused::Drop },
            _ => RecordOutput { id: OutputId::FRAGMENTS, on_refused: OnRefused::FailStream },
        }),
        topic: topic.into(),
        partition: 0,
        key: key.into_bytes(),
        value: Some(vec![7; 10].into()),
        headers: vec![],
        timestamp_ms: None,
        sequence: None,
    }
}

const FRAGMENTS: u64 = 20;

fn publication(topic: &str, number: u64) -> Publication {
    let offset = StoredOffset {
        continuation_token: None,
        fragment_number: number.to_string().parse().unwrap(),
        server_timestamp: None,
        producer_timestamp: None,
        sequence: None,
        data_partitions: Vec::new(),
        continuity: kvs_mkv::Continuity::default(),
        frames: None,
    };
    let record = record(topic, format!("{topic} {number}"));
    Publication {
        key: Arc::new(OffsetKey { connector: "c".to_owned(), stream: topic.to_owned() }),
        offset: Some(offset),
        records: vec![record],
        notifications: Vec::new(),
        size_bytes: 10,
        received: Instant::now(),
        permit: Box::new(()),
    }
}

impl Sources for Topics {
    fn wait_for_config(&mut self, _config_offset: &ConfigOffset, _held: &dyn Fn() -> bool) {}

    fn start(&mut self, start: StartContext, queue: mpsc::Sender<Publication>) {
        let failed = self.failed.lock().unwrap().clone();
        let mut started = self.started.lock().unwrap();
        *started += 1;
        // At the first start this is not known yet.
        let offline = |topic| *started > 1 && self.log.as_ref().is_some_and(|log| log.unavailable(topic, 0).is_some());
        // Everything is queued before the first transaction begins, so that it contains both topics.
        for number in 1..=FRAGMENTS {
            for topic in ["bad", "good"] {
                let key = OffsetKey { connector: "c".to_owned(), stream: topic.to_owned() };
                let last =
                    start.positions.get(&key).map_or(0, |offset| offset.fragment_number.as_str().parse().unwrap());
                if number > last && !failed.contains(topic) && !offline(topic) {
                    let with = |told: Option<&str>| {
                        let mut publication = publication(topic, number);
                        if self.has_metadata {
                            publication
                                .records
                                .push(record(&format!("{topic} metadata"), format!("{topic} {number} metadata")));
                        }
                        publication.notifications.extend(told.map(|told| record("told", format!("{told} {number}"))));
                        queue.try_send(publication).unwrap();
                    };
                    if self.tells && topic == "good" && number % 5 == 0 {
                        with(Some("told"));
                        with(Some("told again"));
                    } else {
                        with(None);
                    }
                }
            }
        }
        // The stream is live: nothing more comes for now.
        std::thread::spawn(move || {
            while !queue.is_closed() {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }

    fn stop(&mut self) {}

    fn record_too_large(&mut self, stream: &OffsetKey, _: &Arc<str>, _: usize, reason: String) {
        panic!("{stream:?}: {reason}");
    }

    fn already_published(&mut self, stream: &OffsetKey, last: &FragmentNumber) {
        self.repeated.lock().unwrap().push((stream.stream.clone(), last.as_str().to_owned()));
    }

    fn blocked(&mut self, reason: String, _lease_end: i64) {
        self.blocked.lock().unwrap().push(reason);
    }

    fn fail_topics(&mut self, topics: &BTreeSet<Arc<str>>, _reason: String) {
        self.failed.lock().unwrap().extend(topics.iter().map(|topic| topic.to_string()));
    }
}

struct Run {
    log: FakeLog,
    sources: Topics,
    lease: ShardLease,
    thread: std::thread::JoinHandle<Ended>,
    _runtime: tokio::runtime::Runtime,
}

impl Run {
    fn start(log: &FakeLog, sources: &Topics, blocked_after: Duration) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let lease = ShardLease::default();
        let context = OwnerContext {
            contract: Contract::of_group("group", 25),
            log: Arc::new(log.clone()),
            runtime: runtime.handle().clone(),
            settings: OwnerSettings {
                reacquire_base: Duration::from_millis(2),
                reacquire_cap: Duration::from_millis(4),
                release_timeout: Duration::from_millis(100),
                blocked_after,
                ..OwnerSettings::default()
            },
        };
        let owner = Owner::new(ShardId(0), context, sources.clone(), lease.clone(), super::OwnerReport::default());
        let thread = std::thread::spawn(move || owner.run());
        Self { log: log.clone(), sources: sources.clone(), lease, thread, _runtime: runtime }
    }

    fn wait(&self, what: &str, condition: impl Fn(&[String]) -> bool) {
        let began = Instant::now();
        while !condition(&self.log.published()) {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{what}: {:?} {:?}",
                self.log.published(),
                self.sources.failed
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn release(self) {
        self.lease.release();
        assert_eq!(self.thread.join().unwrap(), Ended::Released);
    }
}

fn all_of(topic: &str) -> Vec<String> {
    (1..=FRAGMENTS).map(|number| format!("{topic} {number}")).collect()
}

/// Kafka refuses a transaction as a whole without naming the topic; the streams of the other topic do not fail.
#[test]
fn only_the_streams_of_the_topic_that_takes_nothing_fail() {
    let log = FakeLog::default();
    log.refuse_topic("bad");
    let run = Run::start(&log, &Topics::default(), Duration::from_secs(60));
    run.wait("the good ones", |published| published.len() >= FRAGMENTS as usize);
    assert_eq!(log.published(), all_of("good"));
    assert_eq!(*run.sources.failed.lock().unwrap(), BTreeSet::from(["bad".to_owned()]));
    run.release();
}

/// With several outputs a stream writes to several topics: one stream at a time shows whose records are refused.
#[test]
fn of_streams_with_several_outputs_only_that_whose_topic_takes_nothing_fails() {
    let log = FakeLog::default();
    log.refuse_topic("bad metadata");
    let run = Run::start(&log, &Topics { has_metadata: true, ..Topics::default() }, Duration::from_secs(60));
    run.wait("the good ones", |published| published.len() >= 2 * FRAGMENTS as usize);
    let published = log.published();
    let expected: Vec<String> =
        all_of("good").into_iter().flat_map(|one| [one.clone(), format!("{one} metadata")]).collect();
    assert_eq!(published, expected);
    let failed = ["bad", "bad metadata"].map(str::to_owned);
    assert_eq!(*run.sources.failed.lock().unwrap(), BTreeSet::from(failed));
    run.release();
}

/// A transaction with such a partition could not be completed until it is back, and would block the whole shard.
#[test]
fn a_partition_without_a_leader_gets_into_no_transaction() {
    let log = FakeLog::default();
    log.set_offline("bad", true);
    let sources = Topics { log: Some(log.clone()), ..Topics::default() };
    let run = Run::start(&log, &sources, Duration::from_secs(60));
    run.wait("the good ones", |published| published.len() >= FRAGMENTS as usize);
    assert_eq!(log.published(), all_of("good"));
    assert!(!log.sent_to("bad"), "a record was sent to the partition without a leader");
    assert!(sources.failed.lock().unwrap().is_empty());
    log.set_offline("bad", false);
    run.lease.reacquire();
    run.wait("the others", |published| published.len() >= 2 * FRAGMENTS as usize);
    assert_eq!(log.published()[FRAGMENTS as usize..], all_of("bad"));
    run.release();
}

/// No fragment waits and no stream fails, whether the refusal names the record or only the transaction.
#[test]
fn notifications_whose_topic_takes_none_are_dropped_and_fragments_go_on() {
    for by_name in [true, false] {
        let log = FakeLog::default();
        if by_name {
            log.refuse_records_of("told")
        } else {
            log.refuse_topic("told")
        }
        let sources = Topics { tells: true, ..Topics::default() };
        let run = Run::start(&log, &sources, Duration::from_secs(60));
        run.wait("all of them", |published| published.len() >= 2 * FRAGMENTS as usize);
        let published = log.published();
        for topic in ["good", "bad"] {
            let of_topic: Vec<String> = published.iter().filter(|key| key.starts_with(topic)).cloned().collect();
            assert_eq!(of_topic, all_of(topic));
        }
        assert!(!published.iter().any(|key| key.starts_with("told")));
        assert!(sources.failed.lock().unwrap().is_empty());
        run.release();
    }
}

/// Otherwise they are in one transaction with their fragments; those of an already published fragment are written, too.
#[test]
fn notifications_are_written_with_their_fragments() {
    let log = FakeLog::default();
    let sources = Topics { tells: true, ..Topics::default() };
    let run = Run::start(&log, &sources, Duration::from_secs(60));
    let told = FRAGMENTS as usize / 5;
    run.wait("all of them", |published| published.len() >= 2 * FRAGMENTS as usize + 2 * told);
    let published = log.published();
    assert_eq!(published.iter().filter(|key| key.starts_with("told again")).count(), told);
    assert_eq!(published.iter().filter(|key| key.starts_with("told")).count(), 2 * told);
    let expected: Vec<_> = (1..=FRAGMENTS / 5).map(|index| ("good".to_owned(), (index * 5).to_string())).collect();
    assert_eq!(*sources.repeated.lock().unwrap(), expected);
    run.release();
}

/// A lack of progress is always reported.
#[test]
fn a_shard_that_cannot_be_taken_is_spoken_of_by_its_streams() {
    let log = FakeLog::default();
    (0..3).for_each(|_| log.fail(Did::Init, LogErrorKind::Timeout));
    let run = Run::start(&log, &Topics::default(), Duration::ZERO);
    run.wait("all of them", |published| published.len() >= 2 * FRAGMENTS as usize);
    let blocked = run.sources.blocked.lock().unwrap().clone();
    assert_eq!(blocked.len(), 3);
    assert!(blocked[0].contains("shard 0 cannot be acquired"), "{blocked:?}");
    run.release();
}

/// A task that is restarted before its last fragment was written may count another number of partitions.
#[test]
fn a_stream_stays_in_the_partition_of_its_last_fragment() {
    let at = |topic: &str, partition| vec![DataPartition { topic: topic.to_owned(), partition }];
    let with = |topic: &str, partition| {
        let mut publication = publication("good", 2);
        publication.offset.as_mut().unwrap().data_partitions = at(topic, partition);
        publication.records[0].partition = partition;
        publication
    };
    let positions = SharedPositions::default();
    positions.admit(with("good", 1), &mut Sequences::default());
    let mut next = with("good", 4);
    next.keep_partitions(positions.get(&next.key).as_ref());
    assert_eq!((next.records[0].partition, next.offset.unwrap().data_partitions), (1, at("good", 1)));
    // Each topic has its own partition.
    let mut next = with("other", 4);
    next.keep_partitions(positions.get(&next.key).as_ref());
    assert_eq!(next.records[0].partition, 4);
}
