//! How values of media become values of Avro and JSON.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

/// Returns an unsigned number as a long; numbers out of range are capped.
pub(in crate::output) fn long(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Writes bytes as such to Avro, and in base64 to JSON.
pub(super) fn bytes<S: Serializer>(bytes: &Option<Cow<'_, [u8]>>, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        bytes.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(serializer)
    } else {
        apache_avro::serde::bytes_opt::serialize(bytes, serializer)
    }
}
