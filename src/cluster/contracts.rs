//! What a log of the group says that the group has agreed on.
//!
//! **Contract.** The first record in the log decides whose it is (rules 14 and 15); later ones of the same group fill in what
//! it does not say, those of others are nothing. Each has a key of its own, so that compaction takes none of them away and
//! leaves them in their order. So two workers that begin the log at the same moment agree on who was first.

use super::key_value::KeyValue;
use crate::model::Contract;
use crate::model::contract::ContractError;

/// Keys of these records begin so; an id follows.
pub(super) const PREFIX: &str = "kvs-connect-contract-";
/// The most contracts that are remembered: more than workers begin a log at once.
const CONTRACTS_MAX: usize = 64;
/// The id of the record that versions before this one wrote: the group alone.
pub(super) const OF_GROUP: &str = "";

/// The contracts of a log, in its order.
#[derive(Debug, Clone, Default)]
pub struct Contracts {
    records: Vec<(String, Result<Contract, ContractError>)>,
}

/// Returns the record of a contract.
pub(super) fn record(id: &str, contract: &Contract) -> KeyValue {
    (format!("{PREFIX}{id}").into_bytes(), Some(contract.to_bytes()))
}

/// Returns an id for a record.
pub(super) fn new_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Returns the id of a contract's record; `None`: the key is none of one.
pub(super) fn id_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()?.strip_prefix(PREFIX)
}

impl Contracts {
    /// Takes the record of a contract in; `None` takes it away.
    pub(super) fn apply(&mut self, id: &str, contract: Option<Result<Contract, ContractError>>) {
        let known = self.records.iter().position(|(known, _)| known == id);
        match (known, contract) {
            (Some(index), None) => _ = self.records.remove(index),
            (None, Some(contract)) if self.records.len() < CONTRACTS_MAX => {
                self.records.push((id.to_owned(), contract));
            }
            _ => {}
        }
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns whether this one is there.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.records.iter().any(|(known, _)| known == id)
    }

    /// Holds what the log says against what is in force here. Returns whether it says all that is known here.
    ///
    /// # Errors
    /// When they differ; `setting` names the log's topic.
    pub fn check(&self, ours: &Contract, setting: &'static str) -> Result<bool, ContractError> {
        let mut said: Option<Contract> = None;
        for (_, contract) in &self.records {
            match (&mut said, contract) {
                // Of what comes first nothing may be guessed.
                (None, Err(error)) => return Err(error.clone()),
                (None, Ok(first)) => said = Some(first.clone()),
                (Some(said), Ok(later)) if later.group_id == said.group_id => {
                    let fill = |said: &mut Option<String>, later: &Option<String>| {
                        if said.is_none() {
                            said.clone_from(later);
                        }
                    };
                    fill(&mut said.offsets_topic, &later.offsets_topic);
                    fill(&mut said.config_topic, &later.config_topic);
                    fill(&mut said.status_topic, &later.status_topic);
                    said.partitions = said.partitions.or(later.partitions);
                }
                _ => {}
            }
        }
        let Some(said) = said else { return Ok(false) };
        ours.agrees(&said, setting)?;
        Ok(ours.is_said_by(&said))
    }
}

#[cfg(test)]
#[path = "contracts_tests.rs"]
mod tests;
