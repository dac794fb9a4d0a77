//! A fragment's bytes, with room in front of them for a record's head.

use std::fmt;
use std::ops::Deref;

use crate::payload_pool::{Lease, PayloadPool};

/// The room that a payload gets in front when it has to be moved.
const PREFIX_ROOM_BYTES: usize = 64;

/// The contiguous bytes of a chunk, from the EBML header to its last byte.
///
/// A payload can have room in front (see [`Splitter::with_headroom`](crate::Splitter::with_headroom)), so that
/// [`Payload::into_prefixed`] can put a record's head there without moving the payload.
#[derive(Default)]
pub struct Payload {
    buffer: Vec<u8>,
    /// Offset of the payload in the buffer.
    start: usize,
    /// Where the buffer goes in the end.
    lease: Option<Lease>,
}

impl Payload {
    pub(crate) fn with_capacity(headroom_bytes: usize, capacity_bytes: usize, pool: Option<&PayloadPool>) -> Self {
        let capacity_bytes = headroom_bytes + capacity_bytes;
        let (mut buffer, lease) = match pool.map(|pool| pool.take(capacity_bytes)) {
            Some((buffer, lease)) => (buffer, Some(lease)),
            None => (Vec::with_capacity(capacity_bytes), None),
        };
        buffer.resize(headroom_bytes, 0);
        Self { buffer, start: headroom_bytes, lease }
    }

    /// Creates a payload from a buffer whose first bytes are room in front of it.
    pub fn with_headroom(buffer: Vec<u8>, headroom_bytes: usize) -> Self {
        let start = headroom_bytes.min(buffer.len());
        Self { buffer, start, lease: None }
    }

    /// Notes that nothing will be appended any more.
    pub(crate) fn complete(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.complete();
        }
    }

    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Removes and returns everything after the first `length` bytes.
    pub(crate) fn split_off(&mut self, length: usize) -> Vec<u8> {
        self.buffer.split_off(self.start + length)
    }

    /// Returns the payload with `prefix` in front of it. Moves the payload only if the room in front of it is smaller than
    /// the prefix.
    pub fn into_prefixed(mut self, prefix: &[u8]) -> Self {
        if prefix.len() <= self.start {
            let start = self.start - prefix.len();
            self.buffer[start..self.start].copy_from_slice(prefix);
            self.start = start;
            return self;
        }
        // Leave room so that the next prefix does not move it again.
        let mut moved = Self::with_capacity(PREFIX_ROOM_BYTES, prefix.len() + self.len(), None);
        moved.append(prefix);
        moved.append(&self);
        moved
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give(std::mem::take(&mut self.buffer));
        }
    }
}

impl Clone for Payload {
    fn clone(&self) -> Self {
        Self { buffer: self.buffer.clone(), start: self.start, lease: None }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Payload {
    fn from(buffer: Vec<u8>) -> Self {
        Self { buffer, start: 0, lease: None }
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Payload({} bytes)", self.len())
    }
}

#[cfg(test)]
#[path = "payload_tests.rs"]
mod tests;
