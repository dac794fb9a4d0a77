//! The check of a request's JSON against its shape.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use regex::Regex;
use serde_json::Value;

use crate::operation::Operation;
use crate::selector;
use crate::shape::{Member, Shape};
use crate::violation::Violation;

/// The maximum number of characters of a value in a message.
const SHOWN_CHARS_MAX: usize = 100;

impl Operation {
    /// Returns everything in a request that the service would refuse according to its model. Members that the model
    /// does not have are ignored, as the service ignores them.
    pub fn check(self, request: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        structure("", self.members(), request, &mut found);
        let is_there = |name: &str| request.get(name).is_some_and(|value| !value.is_null());
        if self.names_a_stream() && !is_there("StreamName") && !is_there("StreamARN") {
            let reason = "either StreamName or StreamARN is required".to_owned();
            found.push(Violation { member: "StreamName".to_owned(), reason });
        }
        if self == Self::GetMedia {
            selector::check_companions(&request["StartSelector"], &mut found);
        }
        found
    }
}

/// Checks the members of the structure at `path`, which is empty for the request itself.
fn structure(path: &str, members: &[Member], value: &Value, found: &mut Vec<Violation>) {
    let Value::Object(given) = value else {
        let member = if path.is_empty() { "request" } else { path };
        found.push(Violation { member: member.to_owned(), reason: "a structure was expected".to_owned() });
        return;
    };
    for Member { name, required, shape } in members {
        let member = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
        match given.get(*name).filter(|value| !value.is_null()) {
            Some(value) => check(&member, shape, value, found),
            None if *required => found.push(Violation { member, reason: "is required".to_owned() }),
            None => {}
        }
    }
}

fn check(member: &str, shape: &Shape, value: &Value, found: &mut Vec<Violation>) {
    let reason = match (shape, value) {
        (Shape::Text { least, most, pattern }, Value::String(text)) => check_text(text, *least, *most, pattern),
        (Shape::Enum(names), Value::String(text)) => (!names.contains(&text.as_str()))
            .then(|| format!("{}: one of {} was expected", shown(text), names.join(", "))),
        (Shape::Integer { least, most }, Value::Number(number)) => {
            let within = number.as_i64().is_some_and(|number| (*least..=*most).contains(&number));
            (!within).then(|| format!("{number}: a whole number from {least} to {most} was expected"))
        }
        (Shape::Timestamp, Value::Number(number)) => {
            let finite = number.as_f64().is_some_and(f64::is_finite);
            (!finite).then(|| format!("{number}: seconds since 1970 were expected"))
        }
        (Shape::Map { least, most, key, value: item }, Value::Object(entries)) => {
            for (name, entry) in entries {
                check(&format!("{member} (key)"), key, &Value::from(name.as_str()), found);
                check(&format!("{member}.{}", shown(name)), item, entry, found);
            }
            check_count(entries.len(), *least, *most)
        }
        (Shape::List { least, most, item }, Value::Array(items)) => {
            for (index, entry) in items.iter().enumerate() {
                check(&format!("{member}[{index}]"), item, entry, found);
            }
            check_count(items.len(), *least, *most)
        }
        (Shape::Structure(members), Value::Object(_)) => {
            structure(member, members, value, found);
            None
        }
        (shape, _) => Some(format!("{} was expected", kind(shape))),
    };
    if let Some(reason) = reason {
        found.push(Violation { member: member.to_owned(), reason });
    }
}

/// Names the JSON type of a shape.
fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Text { .. } | Shape::Enum(_) => "a string",
        Shape::Integer { .. } => "a whole number",
        Shape::Timestamp => "a number of seconds",
        Shape::Map { .. } => "a map",
        Shape::List { .. } => "a list",
        Shape::Structure(_) => "a structure",
    }
}

fn check_count(count: usize, least: usize, most: usize) -> Option<String> {
    (!(least..=most).contains(&count)).then(|| format!("{count} items: {least} to {most} were expected"))
}

fn check_text(text: &str, least: usize, most: usize, pattern: &'static str) -> Option<String> {
    let length = text.chars().count();
    if !(least..=most).contains(&length) {
        return Some(format!("{} has {length} characters: {least} to {most} were expected", shown(text)));
    }
    (!matches(pattern, text)).then(|| format!("{}: the pattern {pattern} was expected", shown(text)))
}

fn shown(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let dots = if text.chars().nth(SHOWN_CHARS_MAX).is_some() { "…" } else { "" };
    format!("{cut:?}{dots}")
}

/// Returns whether all of `text` matches the pattern. The models have about a dozen patterns; each is compiled once.
fn matches(pattern: &'static str, text: &str) -> bool {
    static COMPILED: OnceLock<Mutex<HashMap<&'static str, Option<Regex>>>> = OnceLock::new();
    let mut compiled = COMPILED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let regex = compiled.entry(pattern).or_insert_with(|| Regex::new(&format!("^(?:{pattern})$")).ok());
    regex.as_ref().is_some_and(|regex| regex.is_match(text))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
