//! Loggers and their levels.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The level of a logger.
#[derive(Serialize, JsonSchema)]
pub(in crate::rest) struct LoggerLevel {
    /// OFF, ERROR, WARN, INFO, DEBUG or TRACE.
    pub(in crate::rest) level: String,
    /// When it was set, in milliseconds since 1970; null if at startup.
    pub(in crate::rest) last_modified: Option<u64>,
}

impl From<crate::logging::LoggerLevel> for LoggerLevel {
    fn from(level: crate::logging::LoggerLevel) -> Self {
        Self { level: level.level, last_modified: level.last_modified_ms }
    }
}

/// A level to set.
#[derive(Deserialize, JsonSchema)]
pub(in crate::rest) struct Level {
    /// The name of the level.
    #[schemars(
        required,
        with = "String",
        extend("enum" = ["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"])
    )]
    pub(in crate::rest) level: Option<String>,
}
