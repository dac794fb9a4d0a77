//! Reads single values: from text to a typed value.

use std::path::PathBuf;

use regex::{Regex, RegexBuilder};

use super::definition::{Definition, Kind, Unit};
use crate::config::error::ValueError;
use crate::model::{TOPIC_NAME_MAX_BYTES, Template, has_topic_characters, is_kafkas_own_topic, is_topic_name};

/// The maximum size of a compiled regular expression.
const REGEX_MAX_BYTES: usize = 1 << 20;
/// The maximum number of characters of a value in an error.
const SHOWN_MAX_CHARS: usize = 300;

/// Reads the text of a setting with this definition; the second argument has the typed values of its choices, in the
/// same order.
pub(super) type Parse<T> = fn(&Definition, &'static [T], &str) -> Result<T, ValueError>;

/// Accepts any text.
pub(super) fn text(_: &Definition, _: &'static [String], text: &str) -> Result<String, ValueError> {
    Ok(text.to_owned())
}

/// Accepts any text as the path of a file.
pub(super) fn path(_: &Definition, _: &'static [PathBuf], text: &str) -> Result<PathBuf, ValueError> {
    Ok(PathBuf::from(text))
}

/// Splits text at commas; empty items are dropped.
pub(super) fn list(_: &Definition, _: &'static [Vec<String>], text: &str) -> Result<Vec<String>, ValueError> {
    Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

pub(super) fn flag(_: &Definition, _: &'static [bool], text: &str) -> Result<bool, ValueError> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(ValueError::NotFlag { found: other.to_owned() }),
    }
}

/// Reads a whole number in the definition's range.
pub(super) fn int<N: TryFrom<i64>>(definition: &Definition, _: &'static [N], text: &str) -> Result<N, ValueError> {
    let Kind::Int { least, most, also, unit } = definition.kind else {
        return Err(ValueError::NotFlag { found: text.to_owned() });
    };
    let is_allowed = |number: &i64| (least..=most).contains(number) || Some(*number) == also;
    let number = text.parse::<i64>().ok().filter(is_allowed).and_then(|number| N::try_from(number).ok());
    // The unit is only named where numbers may be negative.
    let unit = if least < 0 && unit == Unit::Millis { " of milliseconds" } else { "" };
    number.ok_or_else(|| ValueError::NotInt { found: text.to_owned(), unit, least, most, also })
}

/// Reads one of the definition's choices.
pub(super) fn choice<T: Copy>(definition: &Definition, values: &'static [T], text: &str) -> Result<T, ValueError> {
    let choices = definition.choices();
    let index = choices.iter().position(|choice| choice.name == text);
    let value = index.and_then(|index| values.get(index)).copied();
    let expected = || choices.iter().map(|choice| choice.name).collect();
    value.ok_or_else(|| ValueError::NotChoice { found: text.to_owned(), expected: expected() })
}

/// Reads a regular expression that has to match the whole of a text.
pub(super) fn regex(_: &Definition, _: &'static [Regex], text: &str) -> Result<Regex, ValueError> {
    Ok(RegexBuilder::new(&format!("^(?:{text})$")).size_limit(REGEX_MAX_BYTES).build()?)
}

/// Reads the name of a topic, which Kafka would accept.
pub(super) fn topic(_: &Definition, _: &'static [String], name: &str) -> Result<String, ValueError> {
    if is_kafkas_own_topic(name) {
        return Err(ValueError::KafkasOwn { found: name.to_owned() });
    }
    if is_topic_name(name) { Ok(name.to_owned()) } else { Err(ValueError::NotTopic { found: begin_of(name) }) }
}

/// Reads the template of a topic's name. What its variables contribute is not known yet.
pub(super) fn topic_template(_: &Definition, _: &'static [Template], text: &str) -> Result<Template, ValueError> {
    let template = Template::parse(text)?;
    if template.fixed().is_some_and(is_kafkas_own_topic) {
        return Err(ValueError::KafkasOwn { found: text.to_owned() });
    }
    let fits = template.literals_bytes() <= TOPIC_NAME_MAX_BYTES && template.literals().all(has_topic_characters);
    let is_name = template.fixed().is_none_or(is_topic_name);
    if fits && is_name { Ok(template) } else { Err(ValueError::NotTopic { found: begin_of(text) }) }
}

/// Reads a template of any text.
pub(super) fn template(_: &Definition, _: &'static [Template], text: &str) -> Result<Template, ValueError> {
    Ok(Template::parse(text)?)
}

/// Checks a connector's name: any text that can be read in one line, and that is a segment of its own in a path, which
/// `.` and
/// `..` are not.
///
/// # Errors
/// What is wrong with the name.
pub(in crate::config) fn check_connector_name(name: &str) -> Result<(), ValueError> {
    let found = || begin_of(name);
    if matches!(name.trim(), "." | "..") {
        return Err(ValueError::PathName { found: found() });
    }
    let is_empty_or_long = name.trim().is_empty() || name.chars().count() > 256;
    if is_empty_or_long || name.chars().any(|one| one.is_control() || misleads(one)) {
        return Err(ValueError::NotName { found: found() });
    }
    Ok(())
}

/// Returns whether an invisible character changes how others are displayed: one that changes the direction of writing,
/// or a line separator.
fn misleads(character: char) -> bool {
    matches!(character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn begin_of(text: &str) -> String {
    text.chars().take(SHOWN_MAX_CHARS).collect()
}
