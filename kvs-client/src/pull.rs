//! What pulling a live stream and reading its archive have in common: settings, sessions, fragments, and the handling
//! of media that cannot be parsed.

mod config;
mod fragment;
mod source;
mod succession;
mod unparsable;

pub use config::{IdlePolicy, PullerConfig};
pub use fragment::PulledFragment;
pub(crate) use source::StreamSource;
pub(crate) use succession::Succession;
pub use unparsable::PassedOver;
pub(crate) use unparsable::{Unparsable, Verdict};
