//! Digests as signatures use them.

use sha2::{Digest, Sha256};

/// Returns the SHA-256 of some bytes, in hex.
pub(super) fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
