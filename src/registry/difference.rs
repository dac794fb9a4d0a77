//! Whether two schemas describe the same bytes, and if not, which field is different.

use std::fmt;

use apache_avro::Schema;
use serde_json::Value;

/// The maximum number of characters of a type that is shown.
const SHOWN_MAX_CHARS: usize = 80;

/// The first difference between the bytes that two schemas describe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The path of the field, such as `tracks.codec_id`; empty for the whole schema.
    pub field: String,
    /// What is there that is written.
    pub written: String,
    /// What is there in the other schema.
    pub other: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, written, other } = self;
        let field = if field.is_empty() { "the schema".to_owned() } else { format!("field {field}") };
        write!(formatter, "{field} is {other} there, and {written} is written")
    }
}

/// Returns the first difference between what `written` and `other` describe, in the order of the fields. Documentation,
/// defaults and logical types do not matter to a decoder of bytes.
pub fn difference(written: &Schema, other: &Schema) -> Option<Difference> {
    let form = |schema: &Schema| {
        let form: Value = serde_json::from_str(&schema.canonical_form()).unwrap_or_default();
        without_logical_types(form)
    };
    between("", &form(written), &form(other))
}

/// The library's canonical form keeps logical types.
fn without_logical_types(form: Value) -> Value {
    match form {
        Value::Object(mut members) => {
            members.remove("logicalType");
            let kind = members.get("type").filter(|_| members.len() == 1).cloned();
            match kind {
                Some(kind) => without_logical_types(kind),
                None => Value::Object(
                    members.into_iter().map(|(name, member)| (name, without_logical_types(member))).collect(),
                ),
            }
        }
        Value::Array(items) => items.into_iter().map(without_logical_types).collect(),
        other => other,
    }
}

fn between(path: &str, written: &Value, other: &Value) -> Option<Difference> {
    if written == other {
        return None;
    }
    let differ = || Some(Difference { field: path.to_owned(), written: shown(written), other: shown(other) });
    match (written, other) {
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            ours.iter().zip(theirs).find_map(|(ours, theirs)| between(path, ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            // Names of records are not written.
            match (ours.get("fields").and_then(Value::as_array), theirs.get("fields").and_then(Value::as_array)) {
                (Some(ours), Some(theirs)) => fields(path, ours, theirs),
                _ if ours.get("type") != theirs.get("type") => differ(),
                _ => ["items", "values", "symbols", "size"].into_iter().find_map(|member| {
                    between(path, ours.get(member).unwrap_or(&Value::Null), theirs.get(member).unwrap_or(&Value::Null))
                }),
            }
        }
        _ => differ(),
    }
}

fn fields(path: &str, ours: &[Value], theirs: &[Value]) -> Option<Difference> {
    let name = |field: &Value| field["name"].as_str().unwrap_or("?").to_owned();
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for index in 0..ours.len().max(theirs.len()) {
        match (ours.get(index), theirs.get(index)) {
            (Some(ours), Some(theirs)) if name(ours) == name(theirs) => {
                if let Some(found) = between(&below(&name(ours)), &ours["type"], &theirs["type"]) {
                    return Some(found);
                }
            }
            (Some(ours), theirs) => {
                let other = theirs.map_or("missing".to_owned(), |field| format!("replaced by {}", name(field)));
                return Some(Difference { field: below(&name(ours)), written: shown(&ours["type"]), other });
            }
            (None, Some(theirs)) => {
                let other = shown(&theirs["type"]);
                return Some(Difference { field: below(&name(theirs)), written: "no such field".to_owned(), other });
            }
            (None, None) => break,
        }
    }
    None
}

fn shown(form: &Value) -> String {
    let text = match form {
        Value::String(name) => name.clone(),
        Value::Object(members) if members.contains_key("fields") => "a record".to_owned(),
        other => other.to_string(),
    };
    text.chars().take(SHOWN_MAX_CHARS).collect()
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;
