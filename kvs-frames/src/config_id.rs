//! A short name for a decoder's configuration.

use std::fmt;

use sha2::{Digest, Sha256};

/// Names codec and configuration of a track: the first eight bytes of the SHA-256 of the codec's name, a zero byte and the
/// configuration, shown as sixteen hexadecimal digits.
///
/// It is the same for the same configuration, in every fragment, stream and version: a consumer that has a decoder for an id
/// can use it for every frame with that id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConfigId([u8; 8]);

impl ConfigId {
    pub(crate) fn of(codec: &str, config: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(codec.as_bytes());
        hash.update([0]);
        hash.update(config);
        let digest: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        Self([a, b, c, d, e, f, g, h])
    }

    /// Returns the eight bytes.
    pub fn bytes(self) -> [u8; 8] {
        self.0
    }
}

impl fmt::Display for ConfigId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}
