//! Topics that take no records: who fails by it, and who does not.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::contract::Contract;
use super::fake::FakeLog;
use super::gate::ConfigPlace;
use super::id::ShardId;
use super::offset::{OffsetKey, StoredOffset};
use super::outgoing::{Outgoing, Record};
use super::owner::{Beginning, Ended, Grip, Owner, OwnerSettings, Sources};

/// One stream a topic, by the topic's name; one that was given up sends no more.
#[derive(Clone, Default)]
struct Topics {
    failed: Arc<Mutex<BTreeSet<String>>>,
}

const FRAGMENTS: u64 = 20;

fn outgoing(topic: &str, number: u64) -> Outgoing {
    let offset = StoredOffset {
        continuation_token: None,
        fragment_number: number.to_string().parse().unwrap(),
        server_timestamp: None,
        producer_timestamp: None,
        sequence: None,
    };
    let record = Record {
        topic: topic.into(),
        partition: 0,
        key: format!("{topic} {number}").into_bytes(),
        value: Some(vec![7; 10].into()),
        headers: vec![],
        timestamp_ms: None,
        sequence: None,
    };
    Outgoing {
        key: Arc::new(OffsetKey { connector: "c".to_owned(), stream: topic.to_owned() }),
        offset: Some(offset),
        records: vec![record],
        size_bytes: 10,
        received: Instant::now(),
        permit: Box::new(()),
    }
}

impl Sources for Topics {
    fn wait_for_config(&mut self, _place: &ConfigPlace, _held: &dyn Fn() -> bool) {}

    fn start(&mut self, beginning: Beginning, queue: mpsc::Sender<Outgoing>) {
        let failed = self.failed.lock().unwrap().clone();
        // All of it is there before the first transaction begins, which then holds both topics.
        for number in 1..=FRAGMENTS {
            for topic in ["bad", "good"] {
                let key = OffsetKey { connector: "c".to_owned(), stream: topic.to_owned() };
                let last =
                    beginning.positions.get(&key).map_or(0, |offset| offset.fragment_number.as_str().parse().unwrap());
                if number > last && !failed.contains(topic) {
                    queue.try_send(outgoing(topic, number)).unwrap();
                }
            }
        }
        // Live: nothing more comes for now.
        std::thread::spawn(move || {
            while !queue.is_closed() {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }

    fn stop(&mut self) {}

    fn fail(&mut self, stream: &OffsetKey, reason: String) {
        panic!("{stream:?}: {reason}");
    }

    fn fail_topic(&mut self, topic: &str, _reason: String) {
        self.failed.lock().unwrap().insert(topic.to_owned());
    }
}

/// Kafka refuses a transaction as a whole and does not say for which topic: the streams of the other one do not fail.
#[test]
fn only_the_streams_of_the_topic_that_takes_nothing_fail() {
    let log = FakeLog::default();
    log.refuse_topic("bad");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (sources, grip) = (Topics::default(), Grip::default());
    let owner = Owner {
        shard: ShardId(0),
        contract: Contract { partitions: 25, group_id: "group".to_owned() },
        log: Arc::new(log.clone()),
        sources: sources.clone(),
        grip: grip.clone(),
        runtime: runtime.handle().clone(),
        settings: OwnerSettings {
            retake_base: Duration::from_millis(2),
            retake_cap: Duration::from_millis(4),
            release_timeout: Duration::from_millis(100),
            ..OwnerSettings::default()
        },
        report: super::OwnerReport::default(),
        one_topic_at_a_time: false,
    };
    let thread = std::thread::spawn(move || owner.run());
    let began = Instant::now();
    while log.published().len() < FRAGMENTS as usize {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?} {:?}", log.published(), sources.failed);
        std::thread::sleep(Duration::from_millis(1));
    }
    let expected: Vec<String> = (1..=FRAGMENTS).map(|number| format!("good {number}")).collect();
    assert_eq!(log.published(), expected);
    assert_eq!(*sources.failed.lock().unwrap(), BTreeSet::from(["bad".to_owned()]));
    grip.release();
    assert_eq!(thread.join().unwrap(), Ended::Released);
}
