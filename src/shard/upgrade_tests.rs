//! Shards started by an earlier version: rule 3, while workers of both versions run.

use super::ShardLease;
use super::acquire::acquire;
use super::fake::{Did, FakeLog, FakeProducer};
use super::owner_tests::{Run, SHARD, key, publication};
use super::recover::{RecoverError, Recovered};
use crate::model::Record;
use crate::model::contract::{CONTRACT_KEY, Contract};
use crate::model::log::{LogErrorKind, ShardLog, TransactionalProducer};
use crate::model::{ID_SCHEME_KEY, IdScheme};

fn contract() -> Contract {
    Contract::of_group("group", 25)
}

fn record(key: &[u8], value: Vec<u8>) -> Record {
    Record::of_log(&"offsets".into(), SHARD, key.to_vec(), Some(value))
}

/// Returns an owner of an earlier version that has started the shard and has another transaction open.
fn earlier_owner(log: &FakeLog) -> FakeProducer {
    let mut owner = log.intruder_as(SHARD, IdScheme::Dashes);
    owner.begin().unwrap();
    owner.send(record(CONTRACT_KEY, contract().to_bytes())).unwrap();
    owner.commit().unwrap();
    owner.begin().unwrap();
    owner.send(record(&key().to_bytes(), publication(9).offset.unwrap().to_bytes())).unwrap();
    owner
}

fn read(log: &FakeLog) -> Result<Recovered, RecoverError> {
    let taken = acquire(log, SHARD, &contract(), &ShardLease::default(), std::time::Duration::from_secs(60));
    taken.map(|taken| taken.recovered)
}

#[test]
fn rule_3_a_shard_of_an_earlier_version_keeps_its_id_and_that_fences_its_owner() {
    let log = FakeLog::default();
    let mut earlier = earlier_owner(&log);
    let run = Run::start(log.clone()).expect_each_once();
    assert_eq!(earlier.commit().map_err(|error| error.kind), Err(LogErrorKind::Fenced));
    assert_eq!(run.log.epoch_of((SHARD, IdScheme::Dashes)), 2);
    // All of rule 1 happened under the right id, and no transaction was begun under the other one.
    let did = run.log.did();
    let init = did.iter().rposition(|did| *did == Did::Init).unwrap();
    assert_eq!(did[init - 2..init + 3], [Did::DropProducer, Did::Open, Did::Init, Did::Bounds, Did::Seek]);
    assert!(did[init + 3..].contains(&Did::Begin));
    // The form does not change, and is known from now on.
    let inits = || log.did().iter().filter(|did| **did == Did::Init).count();
    let before = inits();
    assert_eq!(read(&log).unwrap().id_scheme(), IdScheme::Dashes);
    assert_eq!(inits(), before + 1);
}

#[test]
fn a_shard_that_is_begun_says_the_form_of_its_id() {
    let run = Run::start(FakeLog::default()).expect_each_once();
    assert_eq!(run.log.epoch_of((SHARD, IdScheme::Dashes)), 0);
    let recovered = read(&run.log).unwrap();
    assert_eq!((recovered.id_scheme, recovered.has_contract), (Some(IdScheme::Colons), true));
}

#[test]
fn a_form_that_this_version_does_not_know_is_refused() {
    let log = FakeLog::default();
    let mut later = log.intruder(SHARD);
    later.begin().unwrap();
    later.send(record(ID_SCHEME_KEY, br#"{"separator":"slashes"}"#.to_vec())).unwrap();
    later.commit().unwrap();
    assert!(matches!(read(&log), Err(RecoverError::Contract(_))));
    assert_eq!(log.id_scheme(SHARD), IdScheme::Colons);
}
