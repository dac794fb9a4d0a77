//! Acquiring a shard, in the one order that is safe (rule 1).

use std::time::Duration;

use super::ShardLease;
use super::recover::{RecoverError, Recovered, recover_as};
use crate::model::IdScheme;
use crate::model::ShardId;
use crate::model::contract::Contract;
use crate::model::log::{LogError, LogErrorKind, ShardLog, TransactionalProducer};

/// The maximum number of attempts to acquire a shard from its owner.
const CONTEND_ATTEMPTS_MAX: u32 = 10;
/// The pause after the first attempt; each further attempt adds as much.
const CONTEND_PAUSE: Duration = Duration::from_millis(20);

/// A shard that has been acquired.
pub struct Acquired<P> {
    /// Writes the shard.
    pub producer: P,
    /// The content of its partition.
    pub recovered: Recovered,
}

/// Acquires a shard: new producer → init → still assigned? → read to the read_uncommitted end. If the shard turns out
/// to be written under an id of another form, everything is repeated with that form ([`crate::model::IdScheme`]).
///
/// No decision is based on anything read before init: before init, an earlier owner may still commit; after it, only
/// this producer can, and the earlier owner's transaction is decided.
///
/// # Errors
/// When any step fails; the producer is then dropped.
pub fn acquire<L: ShardLog>(
    log: &L,
    shard: ShardId,
    contract: &Contract,
    lease: &ShardLease,
    stall_timeout: Duration,
) -> Result<Acquired<L::Producer>, RecoverError> {
    let scheme = log.id_scheme(shard);
    match acquire_as(log, shard, scheme, contract, lease, stall_timeout) {
        Err(RecoverError::IdScheme(found)) => {
            // Nothing was written under the wrong id, and nothing that was read is used: everything is repeated under
            // the right one.
            log.note_id_scheme(shard, found);
            acquire_as(log, shard, found, contract, lease, stall_timeout)
        }
        acquired => acquired,
    }
}

fn acquire_as<L: ShardLog>(
    log: &L,
    shard: ShardId,
    scheme: IdScheme,
    contract: &Contract,
    lease: &ShardLease,
    stall_timeout: Duration,
) -> Result<Acquired<L::Producer>, RecoverError> {
    let began = std::time::Instant::now();
    let mut producer = log.open_producer(shard, scheme)?;
    producer.init()?;
    tracing::debug!(shard = shard.0, init_ms = began.elapsed().as_millis() as u64, "transactional id initialised");
    if !lease.is_held() {
        return Err(RecoverError::Released);
    }
    let is_held = || lease.is_held();
    let recovered =
        log.with_reader(|reader| recover_as(reader, shard, contract, stall_timeout, &is_held, Some(scheme)))?;
    Ok(Acquired { producer, recovered })
}

/// Runs an attempt that acquires a shard from its owner, and repeats it if the owner, which acquires the shard back at
/// the same time, was quicker, or a broker is briefly away. Blocks.
///
/// # Errors
/// That of the last attempt; an error that another attempt would not cure is returned at once.
pub fn contend<T>(mut attempt: impl FnMut() -> Result<T, RecoverError>) -> Result<T, RecoverError> {
    for attempts in 1..CONTEND_ATTEMPTS_MAX {
        match attempt() {
            Err(RecoverError::Log(LogError { kind, .. })) if kind != LogErrorKind::NotAuthorized => {
                std::thread::sleep(CONTEND_PAUSE.saturating_mul(attempts));
            }
            done => return done,
        }
    }
    attempt()
}

impl RecoverError {
    /// Returns a short name for metrics, one of a fixed set.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Log(LogError { kind, .. }) => kind.reason(),
            Self::Contract(_) => "contract",
            Self::Truncated { .. } => "truncated",
            Self::HangingTransaction { .. } => "hanging_transaction",
            Self::IdScheme(_) => "id_scheme",
            Self::Released => "released",
        }
    }
}
