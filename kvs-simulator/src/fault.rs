//! Faults: what goes wrong on purpose.

use std::sync::Mutex;

use serde::{Deserialize, Serialize};

/// A fault for calls of GetMedia (or another operation, for `refuse`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only for this stream; every stream when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Operation, as the service names it; default `GetMedia`.
    #[serde(default = "default_api")]
    pub api: String,
    /// How many calls it strikes; default 1.
    #[serde(default = "default_count")]
    pub count: u64,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The call is refused.
    Refuse {
        /// HTTP status.
        status: u16,
        /// `x-amzn-ErrorType`.
        error_type: String,
        /// Message in the body.
        #[serde(default)]
        message: String,
    },
    /// The body is ended at a byte.
    Cut {
        /// How many bytes are sent.
        at_byte: u64,
        /// Cleanly, or by a reset of the connection.
        how: CutHow,
    },
    /// The body pauses at a byte.
    Stall {
        /// How many bytes are sent before.
        at_byte: u64,
        /// For how long, in milliseconds.
        duration_ms: u64,
    },
    /// After some fragments the service reports an error about the next one and ends.
    ErrorTag {
        /// How many fragments are sent before.
        after_fragments: u64,
        /// AWS_KINESISVIDEO_ERROR_ID.
        error_id: u32,
        /// AWS_KINESISVIDEO_ERROR_CODE.
        error_code: String,
    },
    /// The session ends cleanly after a time.
    EndSession {
        /// After how long, in milliseconds.
        after_ms: u64,
    },
    /// A chunk of the file that is not whole is served at its end.
    ServeIncomplete {},
}

/// How a body is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutHow {
    /// As if it were over.
    Clean,
    /// The connection is reset.
    Reset,
}

fn default_api() -> String {
    "GetMedia".to_owned()
}

fn default_count() -> u64 {
    1
}

/// The faults that are still to strike, in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        self.lock().push(fault);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    pub(crate) fn pending(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// The next fault that strikes this call, which is thereby used up once.
    pub(crate) fn take(&self, api: &str, stream: Option<&str>) -> Option<FaultKind> {
        let mut faults = self.lock();
        let strikes =
            |fault: &Fault| fault.api == api && fault.stream.as_deref().is_none_or(|name| Some(name) == stream);
        let index = faults.iter().position(strikes)?;
        let fault = &mut faults[index];
        let kind = fault.kind.clone();
        fault.count = fault.count.saturating_sub(1);
        if fault.count == 0 {
            faults.remove(index);
        }
        Some(kind)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        // Nothing panics while it is held, and a list of faults is never half changed.
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
