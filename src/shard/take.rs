//! Taking a shard, in the one order that is safe (rule 1).

use std::time::Duration;

use super::contract::Contract;
use super::id::ShardId;
use super::log::{LogError, ShardLog, TransactionalProducer};
use super::owner::Grip;
use super::recover::{RecoverError, Recovered, recover};

/// A shard in hand.
pub struct Taken<P> {
    /// Writes it.
    pub producer: P,
    /// What its partition says.
    pub recovered: Recovered,
}

/// Takes a shard: new producer → init → still assigned? → read to the read_uncommitted end.
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
    let began = std::time::Instant::now();
    let mut producer = log.open_producer(shard)?;
    producer.init()?;
    tracing::debug!(shard = shard.0, init_ms = began.elapsed().as_millis() as u64, "the shard's id is taken");
    if !grip.held() {
        return Err(RecoverError::Released);
    }
    let mut reader = log.open_reader()?;
    let recovered = recover(&mut reader, shard, contract, stall_timeout, &|| grip.held());
    log.give_back(recovered.is_ok().then_some(reader));
    let recovered = recovered?;
    Ok(Taken { producer, recovered })
}

impl RecoverError {
    /// A short name for metrics: one of a fixed set.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Log(LogError { kind, .. }) => kind.reason(),
            Self::Contract(_) => "contract",
            Self::Truncated { .. } => "truncated",
            Self::HangingTransaction { .. } => "hanging_transaction",
            Self::Released => "released",
        }
    }
}
