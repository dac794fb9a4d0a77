//! Loggers and their levels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The level of a logger.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct LoggerLevel {
    /// OFF, ERROR, WARN, INFO, DEBUG or TRACE.
    pub(in crate::rest) level: String,
    /// Milliseconds since 1970; null: since the start.
    pub(in crate::rest) last_modified: Option<u64>,
}

impl From<crate::logging::LoggerLevel> for LoggerLevel {
    fn from(level: crate::logging::LoggerLevel) -> Self {
        Self { level: level.level, last_modified: level.last_modified_ms }
    }
}

/// A level that is to be set.
#[derive(Deserialize, JsonSchema)]
pub(in crate::rest) struct Level {
    /// Its name.
    #[schemars(
        required,
        with = "String",
        extend("enum" = ["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"])
    )]
    pub(in crate::rest) level: Option<String>,
}
