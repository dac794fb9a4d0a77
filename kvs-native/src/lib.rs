//! What needs unsafe code: one parameter of glibc's malloc, and sending to Kafka without a copy.
//!
//! **Contract.** The only crate of the workspace that may contain unsafe code. Every function is safe to call, whatever its
//! arguments. Both exist because measurements demand them (docs/PERFORMANCE.md); neither decides anything.

mod lend;
mod malloc;

pub use lend::{Lent, LentRecord, send_lent};
pub use malloc::map_blocks_from;
