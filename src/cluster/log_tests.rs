#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::cluster::change::{self, Checked};
use crate::cluster::{MemoryLog, Settings, TargetState};

/// Panics if a follower is given up.
fn never() -> FollowerEnded {
    Arc::new(|panicked| panic!("{panicked}"))
}

fn check(settings: Settings, _stored: Option<&Settings>) -> Result<Checked, Refusal> {
    Ok(Checked { settings, streams: Some(Vec::new()), ..Checked::default() })
}

fn following(store: Arc<dyn ConfigStore>) -> (ConfigLog, mpsc::Receiver<Event>) {
    let (events, heard) = mpsc::channel(100);
    let log = ConfigLog::new(store, Contract::of_group("group", 25));
    log.follow(events, &never()).unwrap();
    (log, heard)
}

fn settings(value: &str) -> Settings {
    BTreeMap::from([("topic".to_owned(), value.to_owned())])
}

/// Workers that change the same thing at the same moment: each change is made once, on what was before it.
#[test]
fn workers_that_change_at_the_same_moment_are_put_in_order() {
    const WORKERS: usize = 3;
    const ROUNDS: usize = 40;
    let store = MemoryLog::default();
    let made = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let (log, _heard) = following(Arc::new(store.clone()));
                for round in 0..ROUNDS {
                    let name = format!("c{round}");
                    let created =
                        log.change(|view| change::create(view, &name, settings("t"), TargetState::Started, &check));
                    match created {
                        Ok(_) => _ = made.fetch_add(1, Ordering::Relaxed),
                        Err(ChangeError::Refused(Refusal::AlreadyExists(_))) => {}
                        Err(error) => panic!("{error}"),
                    }
                    assert!(log.view().contains(&name));
                    // No increment is lost: each is decided on what the last one wrote.
                    log.change(|view| {
                        let now: usize = match view.settings("counter") {
                            Some(Ok(settings)) => settings["topic"].parse().unwrap(),
                            _ => 0,
                        };
                        change::put(view, "counter", settings(&(now + 1).to_string()), &check)
                    })
                    .unwrap();
                }
                log.stop();
            });
        }
    });
    assert_eq!(made.into_inner(), ROUNDS);
    let (log, _heard) = following(Arc::new(store));
    assert_eq!(log.view().settings("counter").unwrap().as_ref().unwrap()["topic"], (WORKERS * ROUNDS).to_string());
    log.stop();
}

/// A store whose first commit succeeds but returns a timeout.
struct Unclear(MemoryLog, Arc<AtomicBool>);

struct UnclearProducer(Box<dyn TransactionalProducer>, Arc<AtomicBool>);

impl ConfigStore for Unclear {
    fn producer(&self) -> Result<Box<dyn TransactionalProducer>, LogError> {
        Ok(Box::new(UnclearProducer(self.0.producer()?, Arc::clone(&self.1))))
    }

    fn reader(&self) -> Result<Box<dyn OffsetReader>, LogError> {
        self.0.reader()
    }

    fn topic(&self) -> &str {
        "unclear"
    }
}

impl TransactionalProducer for UnclearProducer {
    fn init(&mut self) -> Result<(), LogError> {
        self.0.init()
    }

    fn begin(&mut self) -> Result<(), LogError> {
        self.0.begin()
    }

    fn send(&mut self, record: Record) -> Result<(), LogError> {
        self.0.send(record)
    }

    fn drain(&mut self) -> Result<(), LogError> {
        self.0.drain()
    }

    fn commit(&mut self) -> Result<(), LogError> {
        self.0.commit()?;
        if self.1.swap(false, Ordering::Relaxed) { Err(timed_out("committing")) } else { Ok(()) }
    }
}

#[test]
fn a_commit_without_a_clear_answer_is_not_made_twice_and_not_refused() {
    let (log, _heard) = following(Arc::new(Unclear(MemoryLog::default(), Arc::new(AtomicBool::new(true)))));
    log.change(|view| change::create(view, "c", settings("t"), TargetState::Started, &check)).unwrap();
    assert!(log.view().contains("c"));
    log.stop();
}

#[test]
fn what_was_asked_for_before_is_not_done_again_by_a_worker_that_starts() {
    let store = MemoryLog::default();
    let (first, mut heard) = following(Arc::new(store.clone()));
    first.change(|view| change::put(view, "c", settings("t"), &check)).unwrap();
    let request = crate::cluster::RestartRequest {
        connector: "c".to_owned(),
        include_tasks: true,
        only_failed: false,
        task: None,
    };
    first.change(|view| change::restart(view, &request)).unwrap();
    assert_eq!(heard.blocking_recv().unwrap(), Event::Restart(request.clone()));
    let (second, mut heard) = following(Arc::new(store));
    assert!(heard.try_recv().is_err());
    first.change(|view| change::restart(view, &request)).unwrap();
    assert_eq!(heard.blocking_recv().unwrap(), Event::Restart(request));
    first.stop();
    second.stop();
}

/// Under two fences each of two groups would write what the other one has not read.
#[test]
fn a_log_of_another_group_is_not_changed() {
    let store = MemoryLog::default();
    let (first, _heard) = following(Arc::new(store.clone()));
    first.change(|view| change::put(view, "c", settings("t"), &check)).unwrap();
    let (events, _heard) = mpsc::channel(100);
    let other = ConfigLog::new(Arc::new(store), Contract::of_group("another", 25));
    other.follow(events, &never()).unwrap();
    let refused = other.change(|view| change::put(view, "d", settings("t"), &check)).unwrap_err();
    assert!(
        refused.to_string().contains("belongs to the group \"group\"") && refused.to_string().contains("\"another\""),
        "{refused}"
    );
    assert!(other.check_contract(&other.view()).is_err());
    first.stop();
    other.stop();
}

/// Every field, with both values in the message; a contract by a version that knew only the group is completed by the first
/// change or claim.
#[test]
fn the_log_carries_what_its_group_has_agreed_on() {
    let store = MemoryLog::default();
    let (earlier, _heard) = following(Arc::new(store.clone()));
    let of_group = crate::model::log::write_transaction(
        &mut *{
            let mut producer = store.producer().unwrap();
            producer.init().unwrap();
            producer
        },
        [records::group("group")].map(|(key, value)| Record::of_log(&Arc::from("t"), PARTITION, key, value)),
    );
    of_group.unwrap();
    earlier.stop();
    let full = |status: &str| Contract {
        offsets_topic: Some("offsets".to_owned()),
        status_topic: Some(status.to_owned()),
        ..Contract::of_group("group", 25)
    };
    let follow = |contract| {
        let (events, _) = mpsc::channel(100);
        let log = ConfigLog::new(Arc::new(store.clone()), contract);
        log.follow(events, &never()).unwrap();
        log
    };
    let first = follow(full("status"));
    assert_eq!(first.check_contract(&first.view()), Ok(false));
    first.claim().unwrap();
    assert_eq!(first.check_contract(&first.view()), Ok(true));
    let end = first.view().position;
    first.claim().unwrap();
    assert_eq!(first.view().position, end, "it is written again");
    let other = follow(full("another"));
    for refused in
        [other.claim().unwrap_err(), other.change(|view| change::put(view, "c", settings("t"), &check)).unwrap_err()]
    {
        let said = refused.to_string();
        assert!(
            said.contains("status.storage.topic=status") && said.contains("status.storage.topic=another"),
            "{said}"
        );
    }
    assert_eq!(first.view().position, end);
    first.stop();
    other.stop();
}

/// A log of thousands of connectors is not copied to change one of them, neither when reading the change nor when returning it.
#[test]
fn a_change_copies_nothing_of_the_log() {
    let (log, _heard) = following(Arc::new(MemoryLog::default()));
    log.change(|view| change::put(view, "c", settings("t"), &check)).unwrap();
    let place = Arc::as_ptr(&log.view());
    for value in ["u", "v"] {
        let ((), position) = log
            .change(|view| {
                let Change { records, .. } = change::put(view, "c", settings(value), &check)?;
                // The entry as it will be after the records.
                let entry = view.entry_after("c", &records).unwrap();
                assert_eq!(entry.settings.unwrap()["topic"], value);
                assert!(view.entry_after("d", &records).is_none());
                Ok(Change { records, answer: () })
            })
            .unwrap();
        assert!(log.view().position >= position);
        assert_eq!(log.view().settings("c").unwrap().as_ref().unwrap()["topic"], value);
    }
    assert_eq!(Arc::as_ptr(&log.view()), place);
    log.stop();
}
