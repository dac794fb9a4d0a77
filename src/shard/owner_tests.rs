//! Owning a shard: rules 3, 4, 5, 6, 7, 10, 12, and exactly-once output whatever happens.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::acquire::acquire;
use super::context::{OwnerContext, OwnerSettings};
use super::fake::{Did, FakeLog, FakeProducer};
use super::gate::ConfigOffset;
use super::moving::{Settled, ShardsOfTopic};
use super::owner::{Ended, Owner};
use super::recover::{CONFIG_OFFSET_KEY, Recovered};
use super::transaction::TransactionLimits;
use super::{LostPositions, ShardLease, ShardRefusal, Sources, StartContext};
use crate::model::contract::{CONTRACT_KEY, Contract};
use crate::model::log::{LogError, LogErrorKind, OffsetReader, ShardLog, TransactionalProducer, write_transaction};
use crate::model::sequence::SequencePrefix;
use crate::model::{OffsetKey, ShardCount, ShardId, StoredOffset};
use crate::model::{OnRefused, OutputId, Publication, Record, RecordOutput};

pub(super) const SHARD: ShardId = ShardId(3);
pub(super) const FRAGMENTS: u64 = 30;

/// Writes the sequence as text, followed by a colon.
#[derive(Debug)]
struct TextPrefix;

impl SequencePrefix for TextPrefix {
    fn prefix(&self, sequence: i64) -> Vec<u8> {
        format!("{sequence}:").into_bytes()
    }
}

pub(super) fn key() -> OffsetKey {
    OffsetKey { connector: "c".to_owned(), stream: "s".to_owned() }
}

pub(super) fn publication(number: u64) -> Publication {
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
    let record = Record {
        output: Some(RecordOutput { id: OutputId::FRAGMENTS, on_refused: OnRefused::FailStream }),
        topic: "data".into(),
        partition: 0,
        key: number.to_string().into_bytes(),
        value: Some(b"0123456789".to_vec().into()),
        headers: vec![],
        timestamp_ms: None,
        sequence: Some(Arc::new(TextPrefix)),
    };
    Publication {
        key: Arc::new(key()),
        offset: Some(offset),
        records: vec![record],
        notifications: Vec::new(),
        size_bytes: 10,
        received: Instant::now(),
        permit: Box::new(()),
    }
}

/// A stream of numbers that starts after its position; it sends the first one again, as the service may.
#[derive(Clone, Default)]
pub(super) struct Numbers {
    pub(super) started: Arc<Mutex<Vec<u64>>>,
    lost: Arc<Mutex<LostPositions>>,
    /// Why nothing may be pulled; one entry per start.
    pub(super) refused: Arc<Mutex<Vec<Option<ShardRefusal>>>>,
    failed: Arc<Mutex<Vec<String>>>,
    waited: Arc<Mutex<Vec<i64>>>,
    running: Arc<Mutex<Option<std::sync::mpsc::Sender<()>>>>,
    /// The reasons given to a shard whose streams must not be pulled.
    idle: Arc<Mutex<Option<mpsc::Sender<Publication>>>>,
}

impl Sources for Numbers {
    fn wait_for_config(&mut self, config_offset: &ConfigOffset, _held: &dyn Fn() -> bool) {
        self.waited.lock().unwrap().push(config_offset.position);
    }

    fn start(&mut self, start: StartContext, queue: mpsc::Sender<Publication>) {
        let after: u64 =
            start.positions.get(&key()).map_or(0, |offset| offset.fragment_number.as_str().parse().unwrap());
        self.started.lock().unwrap().push(after);
        self.refused.lock().unwrap().push(start.refused.clone());
        *self.lost.lock().unwrap() = start.lost.clone();
        if start.refused.is_some() {
            *self.idle.lock().unwrap() = Some(queue);
            return;
        }
        let (stop, stopped) = std::sync::mpsc::channel();
        *self.running.lock().unwrap() = Some(stop);
        std::thread::spawn(move || {
            for number in after.max(1)..=FRAGMENTS {
                // A pause as in a live stream, so that the test's event falls between two fragments.
                std::thread::sleep(Duration::from_millis(1));
                if queue.blocking_send(publication(number)).is_err() {
                    return;
                }
            }
            // The stream is live: nothing more comes for now.
            let _ = stopped.recv();
        });
    }

    fn stop(&mut self) {
        self.running.lock().unwrap().take();
        self.idle.lock().unwrap().take();
    }

    fn record_too_large(&mut self, stream: &OffsetKey, _: &Arc<str>, _: usize, reason: String) {
        self.failed.lock().unwrap().push(format!("{}: {reason}", stream.stream));
    }

    fn blocked(&mut self, _reason: String, _lease_end: i64) {}

    fn fail_topics(&mut self, topics: &BTreeSet<Arc<str>>, reason: String) {
        self.failed
            .lock()
            .unwrap()
            .push(format!("{}: {reason}", topics.iter().map(|topic| &**topic).collect::<Vec<_>>().join(" and ")));
    }
}

pub(super) struct Run {
    pub(super) log: FakeLog,
    pub(super) sources: Numbers,
    pub(super) lease: ShardLease,
    thread: Option<JoinHandle<Ended>>,
    _runtime: Runtime,
}

impl Run {
    pub(super) fn start(log: FakeLog) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (sources, lease) = (Numbers::default(), ShardLease::default());
        let context = OwnerContext {
            contract: Contract::of_group("group", 25),
            log: Arc::new(log.clone()),
            runtime: runtime.handle().clone(),
            settings: OwnerSettings {
                transaction: TransactionLimits { fragments: 4, ..TransactionLimits::default() },
                queue_fragments: 2,
                stall_timeout: Duration::from_secs(5),
                // Longer than a test waits, to detect pulling that continues after a release.
                release_timeout: Duration::from_secs(60),
                reacquire_base: Duration::from_millis(4),
                reacquire_cap: Duration::from_millis(20),
                ..OwnerSettings::default()
            },
        };
        let owner = Owner::new(SHARD, context, sources.clone(), lease.clone(), super::OwnerReport::default());
        let thread = Some(std::thread::spawn(move || owner.run()));
        Self { log, sources, lease, thread, _runtime: runtime }
    }

    pub(super) fn wait(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !condition(self) {
            assert!(began.elapsed() < Duration::from_secs(20), "waited in vain for {what}: {:?}", self.log.did());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Releases the shard and waits until its owner has ended.
    pub(super) fn release(&mut self) -> Ended {
        self.lease.release();
        self.wait("the owner to end", |run| run.thread.as_ref().is_some_and(JoinHandle::is_finished));
        self.thread.take().unwrap().join().unwrap()
    }

    /// Waits for the last number, releases the shard, and checks the output.
    pub(super) fn expect_each_once(mut self) -> Self {
        self.wait("the last fragment", |run| run.log.published().len() >= FRAGMENTS as usize);
        assert_eq!(self.release(), Ended::Released);
        let expected: Vec<String> = (1..=FRAGMENTS).map(|number| number.to_string()).collect();
        assert_eq!(self.log.published(), expected);
        let numbered: Vec<String> = (0..FRAGMENTS).map(|sequence| format!("{sequence}:0123456789")).collect();
        assert_eq!(self.log.published_values(), numbered, "the sequence has a hole, or repeats");
        self
    }
}

#[test]
fn rule_4_offsets_come_last_and_a_transaction_opens_on_a_whole_fragment() {
    let run = Run::start(FakeLog::default()).expect_each_once();
    let did = run.log.did();
    for (index, step) in did.iter().enumerate() {
        match step {
            Did::Begin => assert_eq!(did[index + 1], Did::Send { offsets: false }, "an empty transaction was begun"),
            Did::Drain => assert_eq!(did[index - 1], Did::Send { offsets: true }, "the offsets are not the last"),
            Did::Send { offsets: false } => assert_ne!(did[index - 1], Did::Send { offsets: true }),
            Did::Commit => assert_eq!(did[index - 1], Did::Drain, "committed before all was acknowledged"),
            _ => {}
        }
    }
}

#[test]
fn rule_3_only_the_shards_own_partition_is_written() {
    let run = Run::start(FakeLog::default()).expect_each_once();
    assert_eq!(run.log.written_shards(), [SHARD]);
}

#[test]
fn rules_5_6_and_12_whatever_fails_wherever_the_shard_is_taken_again() {
    let steps = [
        Did::Open,
        Did::Init,
        Did::Bounds,
        Did::Begin,
        Did::Send { offsets: false },
        Did::Send { offsets: true },
        Did::Drain,
        Did::Commit,
    ];
    let kinds = [
        LogErrorKind::Fenced,
        LogErrorKind::UnknownProducer,
        LogErrorKind::Timeout,
        LogErrorKind::NotAuthorized,
        LogErrorKind::Other,
    ];
    for step in steps {
        for kind in &kinds {
            let log = FakeLog::default();
            log.fail(step.clone(), kind.clone());
            let run = Run::start(log).expect_each_once();
            // The failed producer is not called again: the next step is its end.
            let did = run.log.did();
            let failed = did.iter().position(|did| *did == step).unwrap();
            if step != Did::Open {
                assert_eq!(did[failed + 1], Did::DropProducer, "{step:?} {kind:?}: {did:?}");
            }
            assert!(run.log.epoch(SHARD) >= if matches!(step, Did::Open | Did::Init) { 1 } else { 2 });
        }
    }
}

#[test]
fn rules_5_and_7_a_stale_owner_fences_the_right_one_which_takes_its_shard_again() {
    let run = Run::start(FakeLog::default());
    run.wait("some fragments", |run| run.log.published().len() > 3);
    let mut stale: FakeProducer = run.log.intruder(SHARD);
    let run = run.expect_each_once();
    assert!(run.sources.started.lock().unwrap().len() >= 2, "the shard was not acquired again");
    assert!(run.log.epoch(SHARD) >= 3);
    assert_eq!(stale.begin().map_err(|error| error.kind), Err(LogErrorKind::Fenced));
}

#[test]
fn rule_10_a_released_shard_commits_what_is_whole_and_drops_its_producer() {
    let mut run = Run::start(FakeLog::default());
    run.wait("some fragments", |run| run.log.published().len() > 3);
    assert_eq!(run.release(), Ended::Released);
    assert_eq!(run.log.did().last(), Some(&Did::DropProducer));
    assert!(run.sources.running.lock().unwrap().is_none(), "it is still pulled");
    let published = run.log.published();
    let expected: Vec<String> = (1..=published.len()).map(|number| number.to_string()).collect();
    assert_eq!(published, expected);
}

#[test]
fn a_shard_released_before_it_is_taken_publishes_nothing() {
    let log = FakeLog::default();
    log.fail(Did::Init, LogErrorKind::Other);
    let mut run = Run::start(log);
    assert_eq!(run.release(), Ended::Released);
}

#[test]
fn rule_9_a_topic_of_another_group_ends_the_owner() {
    let log = FakeLog::default();
    let mut other = log.intruder(SHARD);
    other.begin().unwrap();
    let value = Contract::of_group("other", 25).to_bytes();
    let key = crate::model::contract::CONTRACT_KEY.to_vec();
    let record = Record {
        output: None,
        topic: "offsets".into(),
        partition: 3,
        key,
        value: Some(value.into()),
        headers: vec![],
        timestamp_ms: None,
        sequence: None,
    };
    other.send(record).unwrap();
    other.commit().unwrap();
    let mut run = Run::start(log);
    assert!(matches!(run.thread.take().unwrap().join().unwrap(), Ended::Refused(_)));
    assert!(run.log.published().is_empty());
}

#[test]
fn a_record_that_is_too_large_fails_its_stream() {
    let log = FakeLog::default();
    log.fail(Did::Drain, LogErrorKind::RecordTooLarge { index: 0, size_bytes: 1000, limit_bytes: Some(900) });
    let run = Run::start(log).expect_each_once();
    let failed = run.sources.failed.lock().unwrap().clone();
    assert!(failed[0].contains("1000 bytes") && failed[0].contains("900 bytes"), "{failed:?}");
}

/// Offsets were altered while the connector was stopped: an owner that does not know of that yet pulls nothing.
#[test]
fn nothing_is_pulled_before_the_place_of_the_config_log_that_an_alteration_left() {
    let log = FakeLog::default();
    let mut producer = log.intruder(SHARD);
    producer.begin().unwrap();
    let config_offset = ConfigOffset { topic: "configs".to_owned(), position: 17 };
    let record = Record {
        output: None,
        topic: "offsets".into(),
        partition: SHARD.0,
        key: CONFIG_OFFSET_KEY.to_vec(),
        value: Some(config_offset.to_bytes().into()),
        headers: vec![],
        timestamp_ms: None,
        sequence: None,
    };
    producer.send(record).unwrap();
    producer.commit().unwrap();
    let run = Run::start(log).expect_each_once();
    assert_eq!(*run.sources.waited.lock().unwrap(), [17]);
}

#[test]
fn a_topic_that_takes_no_records_fails_the_streams_that_write_there() {
    let log = FakeLog::default();
    log.fail(Did::Drain, LogErrorKind::TopicRefused { index: 0, topic: "data".to_owned() });
    let run = Run::start(log);
    run.wait("its streams to be given up", |run| !run.sources.failed.lock().unwrap().is_empty());
    assert!(run.sources.failed.lock().unwrap()[0].starts_with("data: "));
    run.expect_each_once();
}

/// The shard was altered while its owner had nothing to write, and so could not notice.
#[test]
fn an_owner_that_is_told_takes_its_shard_again_and_goes_on_from_what_it_says_now() {
    let run = Run::start(FakeLog::default());
    run.wait("all to be published", |run| run.log.published().len() >= FRAGMENTS as usize);
    let mut producer = run.log.intruder(SHARD);
    producer.begin().unwrap();
    let record = Record {
        output: None,
        topic: "offsets".into(),
        partition: SHARD.0,
        key: key().to_bytes(),
        value: publication(20).offset.map(|offset| offset.to_bytes().into()),
        headers: vec![],
        timestamp_ms: None,
        sequence: None,
    };
    producer.send(record).unwrap();
    producer.commit().unwrap();
    drop(producer);
    run.lease.reacquire();
    run.wait("the rest to be published again", |run| run.log.published().len() >= FRAGMENTS as usize + 10);
    let expected: Vec<String> = (1..=FRAGMENTS).chain(21..=FRAGMENTS).map(|number| number.to_string()).collect();
    assert_eq!(run.log.published(), expected);
    // Fragments that are published again continue the sequence.
    let numbered: Vec<String> = (0..FRAGMENTS + 10).map(|sequence| format!("{sequence}:0123456789")).collect();
    assert_eq!(run.log.published_values(), numbered);
}

#[test]
fn a_shard_whose_first_records_were_deleted_is_not_taken_for_a_new_one() {
    let log = FakeLog::default();
    Run::start(log.clone()).expect_each_once();
    let published = log.published().len();
    let taken =
        acquire(&log, SHARD, &Contract::of_group("group", 25), &ShardLease::default(), Duration::from_secs(5)).unwrap();
    log.delete_before(SHARD, taken.recovered.lease_epoch as usize);
    drop(taken);
    let mut run = Run::start(log.clone());
    run.wait("the streams to be refused", |run| !run.sources.refused.lock().unwrap().is_empty());
    let refused = run.sources.refused.lock().unwrap()[0].clone().unwrap().to_string();
    assert!(refused.contains("cleanup.policy") && refused.contains("set or reset the offsets"), "{refused}");
    run.release();
    assert_eq!(log.published().len(), published, "nothing is published again");
}

fn end(log: &FakeLog) -> usize {
    log.with_reader::<_, LogError>(|reader| reader.bounds(SHARD)).unwrap().end as usize
}

/// The contract may have been completed long after the offset of a stream that has been quiet since: it survives, and the offset
/// does not.
#[test]
fn a_shard_whose_records_were_deleted_while_it_was_owned_is_refused_until_offsets_are_set() {
    let contract = Contract::of_group("group", 25);
    for keeps_contract in [false, true] {
        let log = FakeLog::default();
        let mut run = Run::start(log.clone());
        run.wait("all to be published", |run| run.log.published().len() >= FRAGMENTS as usize);
        let first = end(&log);
        if keeps_contract {
            let record = Record::of_log(&"offsets".into(), SHARD, CONTRACT_KEY.to_vec(), Some(contract.to_bytes()));
            write_transaction(&mut log.intruder(SHARD), [record]).unwrap();
        }
        log.delete_before(SHARD, first);
        run.lease.reacquire();
        let refused = |run: &Run| run.sources.refused.lock().unwrap().last().cloned().flatten();
        run.wait("the streams to be refused", |run| refused(run).is_some());
        assert!(
            refused(&run).unwrap().to_string().contains(&format!("begins at offset {first}")),
            "{:?}",
            refused(&run)
        );
        // Whoever acquires it next still knows, unless the contract hides it.
        run.lease.reacquire();
        run.wait("the shard to be acquired again", |run| run.sources.refused.lock().unwrap().len() >= 3);
        assert!(refused(&run).is_some());
        // What somebody sets is what counts, and settles what was deleted.
        let position = publication(FRAGMENTS - 3).offset.unwrap().to_bytes();
        let topic = ShardsOfTopic {
            log: &log,
            contract: &contract,
            count: ShardCount::new(25).unwrap(),
            stall_timeout: Duration::from_secs(5),
        };
        let stopped = ConfigOffset { topic: "configs".to_owned(), position: 7 };
        let others = BTreeSet::from(["c", "d"].map(str::to_owned));
        let settled = Settled { connector: "c", others: &others };
        let stopped = || Ok::<_, ()>(stopped.clone());
        let set = |_: &Recovered| vec![(key().to_bytes(), Some(position.clone()))];
        topic.alter(SHARD, stopped, Some(&settled), set).unwrap().unwrap();
        run.lease.reacquire();
        run.wait("the last ones again", |run| run.log.published().len() >= FRAGMENTS as usize + 3);
        assert_eq!(run.sources.started.lock().unwrap().last(), Some(&(FRAGMENTS - 3)));
        // Streams of the other connector may have had a position; those that have one are pulled.
        let lost = run.sources.lost.lock().unwrap().clone();
        let start = StartContext { lost, ..StartContext::default() };
        let of = |connector: &str| OffsetKey { connector: connector.to_owned(), stream: "s".to_owned() };
        let refusal = |start: &StartContext, connector| start.refusal(&of(connector)).unwrap_or_default();
        assert!(refusal(&start, "d").contains("set or reset the offsets"), "{}", refusal(&start, "d"));
        assert_eq!((refusal(&start, "c"), refusal(&start, "new")), (String::new(), String::new()));
        start.positions.adopt(&of("d"), publication(1).offset.unwrap());
        assert_eq!(refusal(&start, "d"), "");
        run.release();
        let expected: Vec<String> =
            (1..=FRAGMENTS).chain(FRAGMENTS - 2..=FRAGMENTS).map(|number| number.to_string()).collect();
        assert_eq!(log.published(), expected);
        // Another deletion, with or without an owner, is found by that record.
        log.delete_before(SHARD, end(&log));
        let lease = ShardLease::default();
        let acquired = acquire(&log, SHARD, &contract, &lease, Duration::from_secs(5)).unwrap();
        assert_eq!(acquired.recovered.emptied, Some(end(&log) as i64));
    }
}

#[test]
fn a_shard_that_is_empty_and_was_not_is_not_taken_for_a_new_one() {
    let mut run = Run::start(FakeLog::default());
    run.wait("some to be published", |run| run.log.published().len() >= 8);
    run.log.recreate(SHARD);
    run.lease.reacquire();
    run.wait("the streams to be refused", |run| run.sources.refused.lock().unwrap().iter().any(Option::is_some));
    let refused = run.sources.refused.lock().unwrap().iter().flatten().next().unwrap().to_string();
    assert!(refused.contains("deleted and recreated"), "{refused}");
    run.release();
    let published = run.log.published();
    let once: std::collections::BTreeSet<&String> = published.iter().collect();
    assert_eq!(once.len(), published.len(), "nothing is published again");
}
