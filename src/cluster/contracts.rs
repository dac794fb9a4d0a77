//! The contracts in a log: what its group has agreed on.
//!
//! **Contract.** The first record in the log decides which group owns it (rules 14 and 15). Later records of the same group fill in
//! missing fields; those of other groups are ignored. Each record has its own key, so that compaction removes none of them and
//! keeps their order. So two workers that create the log at the same moment agree on who was first.

use super::key_value::KeyValue;
use crate::model::Contract;
use crate::model::contract::ContractError;

/// The prefix of these records' keys; an id follows.
pub(super) const PREFIX: &str = "kvs-connect-contract-";
/// The maximum number of contracts remembered: more than the number of workers that create a log at once.
const CONTRACTS_MAX: usize = 64;
/// The id of the record written by earlier versions, which contains only the group.
pub(super) const OF_GROUP: &str = "";

/// The contracts of a log, in log order.
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

/// Returns the id in a contract's key; `None` if the key is not a contract's.
pub(super) fn id_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()?.strip_prefix(PREFIX)
}

impl Contracts {
    /// Applies the record of a contract; `None` removes it.
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

    /// Returns whether there are no contracts.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Returns whether the contract with this id is known.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.records.iter().any(|(known, _)| known == id)
    }

    /// Compares the log's contract with this worker's. Returns whether the log contains everything that this worker knows.
    ///
    /// # Errors
    /// When they differ; `setting` is the setting that names the log's topic.
    pub fn check(&self, ours: &Contract, setting: &'static str) -> Result<bool, ContractError> {
        let mut said: Option<Contract> = None;
        for (_, contract) in &self.records {
            match (&mut said, contract) {
                // If the first record cannot be read, nothing may be assumed.
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
