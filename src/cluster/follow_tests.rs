#![allow(clippy::unwrap_used)]

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::cluster::log::ConfigStore;
use crate::cluster::{MemoryLog, records};
use crate::model::log::{Bounds, write_transaction};
use crate::model::{Record, TransactionalProducer};

/// Longer than any test waits, so that a hanging caller is noticed.
const LONG: Duration = Duration::from_secs(60);

/// Remembers the keys of what was read.
struct Keys(Arc<Mutex<Vec<Vec<u8>>>>);

impl Listener for Keys {
    fn read(&mut self, record: Option<OffsetRecord>, _position: i64) {
        self.0.lock().unwrap().extend(record.map(|record| record.key));
    }
}

fn never() -> FollowerEnded {
    Arc::new(|panicked| panic!("{panicked}"))
}

fn write(log: &MemoryLog, id: &str) {
    let mut producer: Box<dyn TransactionalProducer> = log.producer().unwrap();
    producer.init().unwrap();
    let (key, value) = records::logger(id, "INFO");
    write_transaction(&mut *producer, [Record::of_log(&Arc::from("t"), PARTITION, key, value)]).unwrap();
}

/// A reader that fails at its third record.
struct Failing(Box<dyn OffsetReader>, usize);

impl OffsetReader for Failing {
    fn bounds(&mut self, shard: ShardId) -> Result<Bounds, LogError> {
        self.0.bounds(shard)
    }

    fn seek(&mut self, shard: ShardId, offset: i64) -> Result<(), LogError> {
        self.0.seek(shard, offset)
    }

    fn poll(&mut self) -> Result<Option<OffsetRecord>, LogError> {
        let record = self.0.poll()?;
        self.1 += usize::from(record.is_some());
        if self.1 > 2 { Err(failure()) } else { Ok(record) }
    }

    fn position(&mut self) -> Result<i64, LogError> {
        self.0.position()
    }
}

fn failure() -> LogError {
    LogError { kind: LogErrorKind::Other, doing: "reading", text: "on purpose".to_owned() }
}

#[test]
fn whoever_waits_is_woken_by_the_position_by_the_deadline_or_by_the_end() {
    let log = MemoryLog::default();
    let follower = Follower::new(Part::StatusLog);
    let keys = Arc::new(Mutex::new(Vec::new()));
    let opened = Arc::new(AtomicUsize::new(0));
    write(&log, "a");
    let open = {
        let (log, opened) = (log.clone(), Arc::clone(&opened));
        move || {
            opened.fetch_add(1, Ordering::Relaxed);
            log.reader()
        }
    };
    let end = follower.start(open, |_| Keys(Arc::clone(&keys)), &never()).unwrap();
    assert_eq!(end, 1);
    assert!(follower.wait(end, LONG));
    assert_eq!(keys.lock().unwrap().len(), 1);
    assert!(!follower.wait(end + 1, Duration::from_millis(10)), "nothing more is there");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| follower.wait(end + 1, LONG));
        let sees = scope.spawn(|| follower.wait_until(LONG, |_| keys.lock().unwrap().len() == 2));
        let began = Instant::now();
        write(&log, "b");
        assert!(waits.join().unwrap() && sees.join().unwrap());
        assert!(began.elapsed() < LONG / 2, "the position woke nobody");
        let waits = scope.spawn(|| follower.wait(end + 2, LONG));
        let began = Instant::now();
        follower.stop();
        assert!(!waits.join().unwrap());
        assert!(began.elapsed() < LONG / 2, "the end woke nobody");
    });
    // The reader that returned the end is the one that follows.
    assert_eq!(opened.load(Ordering::Relaxed), 1);
}

#[test]
fn a_reader_that_fails_is_replaced_by_one_that_goes_on_from_the_position() {
    let log = MemoryLog::default();
    let follower = Follower::new(Part::StatusLog);
    let keys = Arc::new(Mutex::new(Vec::new()));
    for id in ["a", "b", "c", "d", "e"] {
        write(&log, id);
    }
    let open = {
        let log = log.clone();
        move || Ok(Box::new(Failing(log.reader()?, 0)) as Box<dyn OffsetReader>)
    };
    let end = follower.start(open, |_| Keys(Arc::clone(&keys)), &never()).unwrap();
    assert!(follower.wait(end, LONG));
    follower.stop();
    let written: Vec<Vec<u8>> = ["a", "b", "c", "d", "e"].map(|id| records::logger(id, "INFO").0).to_vec();
    assert_eq!(*keys.lock().unwrap(), written);
}

#[test]
fn a_topic_whose_end_cannot_be_asked_for_is_not_followed() {
    let follower = Follower::new(Part::StatusLog);
    let refused = follower.start(|| Err(failure()), |_| Keys(Arc::default()), &never());
    assert_eq!(refused, Err(failure()));
    assert!(follower.lock_thread().is_none());
    follower.stop();
}

/// A reader that gets nothing: neither records nor the reason why.
struct Deaf(Box<dyn OffsetReader>);

impl OffsetReader for Deaf {
    fn bounds(&mut self, shard: ShardId) -> Result<Bounds, LogError> {
        self.0.bounds(shard)
    }

    fn seek(&mut self, shard: ShardId, offset: i64) -> Result<(), LogError> {
        self.0.seek(shard, offset)
    }

    fn poll(&mut self) -> Result<Option<OffsetRecord>, LogError> {
        std::thread::sleep(Duration::from_millis(1));
        Ok(None)
    }

    fn position(&mut self) -> Result<i64, LogError> {
        Ok(0)
    }
}

/// Kafka's client reports only once that a topic may not be read, and sometimes not at all.
#[test]
fn a_reader_that_reads_nothing_is_replaced() {
    let log = MemoryLog::default();
    let follower = Follower { silent_for: Duration::from_millis(5), ..Follower::new(Part::StatusLog) };
    let opened = Arc::new(AtomicUsize::new(0));
    let open = {
        let (log, opened) = (log.clone(), Arc::clone(&opened));
        move || -> Result<Box<dyn OffsetReader>, LogError> {
            let reader = log.reader()?;
            if opened.fetch_add(1, Ordering::Relaxed) < 3 { Ok(Box::new(Deaf(reader))) } else { Ok(reader) }
        }
    };
    let end = follower.start(open, |_| Keys(Arc::default()), &never()).unwrap();
    assert_eq!(end, 0);
    write(&log, "a");
    assert!(follower.wait(1, LONG), "the readers that hear nothing are kept");
    assert!(opened.load(Ordering::Relaxed) >= 4);
    follower.stop();
}

/// A reader that reads one record and gets nothing more.
struct Stuck(Box<dyn OffsetReader>, Option<i64>);

impl OffsetReader for Stuck {
    fn bounds(&mut self, shard: ShardId) -> Result<Bounds, LogError> {
        self.0.bounds(shard)
    }

    fn seek(&mut self, shard: ShardId, offset: i64) -> Result<(), LogError> {
        self.0.seek(shard, offset)
    }

    fn poll(&mut self) -> Result<Option<OffsetRecord>, LogError> {
        if self.1.is_some() {
            std::thread::sleep(Duration::from_millis(1));
            return Ok(None);
        }
        let record = self.0.poll()?;
        if record.is_some() {
            self.1 = Some(self.0.position()?);
        }
        Ok(record)
    }

    fn position(&mut self) -> Result<i64, LogError> {
        self.1.map_or_else(|| self.0.position(), Ok)
    }
}

/// As seen of a client whose broker had been suspended and killed: all others of its process went on.
#[test]
fn a_reader_that_reads_no_further_is_replaced_if_there_is_more_and_kept_if_there_is_not() {
    let log = MemoryLog::default();
    let follower = Follower { silent_for: Duration::from_millis(5), ..Follower::new(Part::StatusLog) };
    let keys = Arc::new(Mutex::new(Vec::new()));
    let opened = Arc::new(AtomicUsize::new(0));
    write(&log, "a");
    let open = {
        let (log, opened) = (log.clone(), Arc::clone(&opened));
        move || -> Result<Box<dyn OffsetReader>, LogError> {
            opened.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(Stuck(log.reader()?, None)))
        }
    };
    let end = follower.start(open, |_| Keys(Arc::clone(&keys)), &never()).unwrap();
    assert!(follower.wait(end, LONG));
    // It looks whether there is more many times meanwhile.
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(opened.load(Ordering::Relaxed), 1, "there was nothing to read");
    for (number, id) in (2..).zip(["b", "c"]) {
        write(&log, id);
        assert!(follower.wait(number, LONG), "a client that reads no further is kept");
        assert_eq!(opened.load(Ordering::Relaxed), usize::try_from(number).unwrap());
    }
    follower.stop();
    let written: Vec<Vec<u8>> = ["a", "b", "c"].map(|id| records::logger(id, "INFO").0).to_vec();
    assert_eq!(*keys.lock().unwrap(), written);
}

/// Panics at every record.
struct Panicking;

impl Listener for Panicking {
    fn read(&mut self, record: Option<OffsetRecord>, _position: i64) {
        assert!(record.is_none(), "on purpose");
    }
}

/// Whoever starts waits for the log's end: it would wait out its time, and tell of a log that cannot be read.
#[test]
fn a_follower_that_is_given_up_wakes_whoever_waits_and_has_told_why_before() {
    let log = MemoryLog::default();
    write(&log, "a");
    let follower = Follower::new(Part::StatusLog);
    let (told, reason) = std::sync::mpsc::channel();
    let told = Mutex::new(told);
    let ended: FollowerEnded = Arc::new(move |panicked| told.lock().unwrap().send(panicked).unwrap());
    let open = {
        let log = log.clone();
        move || log.reader()
    };
    let end = follower.start(open, |_| Panicking, &ended).unwrap();
    let began = Instant::now();
    assert!(!follower.wait(end, LONG));
    assert!(began.elapsed() < LONG / 2, "nobody was woken");
    assert!(reason.try_recv().unwrap().message.contains("on purpose"));
    assert!(follower.is_stopped());
    follower.stop();
}
