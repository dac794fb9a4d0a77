//! The records of the config and the status topic.

/// A record to be written: key and value, `None` for a tombstone.
pub type KeyValue = (Vec<u8>, Option<Vec<u8>>);
