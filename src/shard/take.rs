//! Taking a shard, in the one order that is safe (rule 1).

use std::time::Duration;

use super::contract::Contract;
use super::id::ShardId;
use super::id_scheme::IdScheme;
use super::log::{LogError, LogErrorKind, ShardLog, TransactionalProducer};
use super::owner::Grip;
use super::recover::{RecoverError, Recovered, recover_as};

/// A shard is taken from its owner this many times at most.
const CONTEND_ATTEMPTS_MAX: u32 = 10;
/// The pause after the first attempt; it grows by itself with each.
const CONTEND_PAUSE: Duration = Duration::from_millis(20);

/// A shard in hand.
pub struct Taken<P> {
    /// Writes it.
    pub producer: P,
    /// What its partition says.
    pub recovered: Recovered,
}

/// Takes a shard: new producer → init → still assigned? → read to the read_uncommitted end. Where the shard turns out to
/// be written under an id of another form, all of it is done again with that ([`super::id_scheme`]).
///
/// Nothing is decided from anything read before init: before it, an earlier owner may still commit; after it, nobody
/// but this producer can, and what the earlier one had begun is decided.
///
/// # Errors
/// When any step fails; the producer is dropped then.
pub fn take<L: ShardLog>(
    log: &L,
    shard: ShardId,
    contract: &Contract,
    grip: &Grip,
    stall_timeout: Duration,
) -> Result<Taken<L::Producer>, RecoverError> {
    let scheme = log.id_scheme(shard);
    match take_as(log, shard, scheme, contract, grip, stall_timeout) {
        Err(RecoverError::IdScheme(found)) => {
            // Nothing was written under the wrong id, and nothing that was read is used: all is done anew under the right one.
            log.note_id_scheme(shard, found);
            take_as(log, shard, found, contract, grip, stall_timeout)
        }
        taken => taken,
    }
}

fn take_as<L: ShardLog>(
    log: &L,
    shard: ShardId,
    scheme: IdScheme,
    contract: &Contract,
    grip: &Grip,
    stall_timeout: Duration,
) -> Result<Taken<L::Producer>, RecoverError> {
    let began = std::time::Instant::now();
    let mut producer = log.open_producer(shard, scheme)?;
    producer.init()?;
    tracing::debug!(shard = shard.0, init_ms = began.elapsed().as_millis() as u64, "the shard's id is taken");
    if !grip.held() {
        return Err(RecoverError::Released);
    }
    let mut reader = log.open_reader()?;
    let recovered = recover_as(&mut reader, shard, contract, stall_timeout, &|| grip.held(), Some(scheme));
    log.give_back(recovered.is_ok().then_some(reader));
    let recovered = recovered?;
    Ok(Taken { producer, recovered })
}

/// Does what takes a shard from its owner, and does it again when the owner, which takes it back at the same time, was
/// quicker, or a broker is away for a moment. Blocks.
///
/// # Errors
/// The last attempt's; at once those that another attempt does not end.
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
    /// A short name for metrics: one of a fixed set.
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
