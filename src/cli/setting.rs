//! `KEY=VALUE` on the command line.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};

use crate::config::table;

/// Parses a worker's setting, split at the first `=`; shells complete its key from the table of settings.
#[derive(Debug, Clone, Copy)]
pub(super) struct SettingParser;

impl TypedValueParser for SettingParser {
    type Value = (String, String);

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<Self::Value, Error> {
        let split = value.to_str().and_then(|text| text.split_once('='));
        let (key, value) = split.ok_or_else(|| refused(command, argument, value))?;
        Ok((key.trim().to_owned(), value.to_owned()))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let value = |definition: &table::Definition| {
            PossibleValue::new(format!("{}=", definition.name)).help(definition.display_name)
        };
        Some(Box::new(table::worker().map(value)))
    }
}

/// Returns clap's error, with the expected form.
fn refused(command: &Command, argument: Option<&Arg>, value: &OsStr) -> Error {
    let shown = value.to_string_lossy().into_owned();
    let argument = argument.map_or_else(|| "--set".to_owned(), ToString::to_string);
    let mut error = Error::raw(
        ErrorKind::ValueValidation,
        format!("invalid value '{shown}' for '{argument}': KEY=VALUE was expected\n"),
    )
    .with_cmd(command);
    error.insert(ContextKind::InvalidValue, ContextValue::String(shown));
    error
}
