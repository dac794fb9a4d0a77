//! The schema of one setting's value: text, or a number or boolean of JSON, as the loader accepts them.

use serde_json::{Value, json};

use super::range;
use crate::config::connect_keys::{Accepts, ConnectKey};
use crate::config::table::{Default, Definition, Kind};

/// A pattern for text that contains a reference to a secret.
const REFERENCE: &str = r"\$\{(?:env|file|dir):[^}]*\}";

/// Whether a value may contain a reference to a secret, which can resolve to any value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum References {
    /// It may.
    Allowed,
    /// It may not.
    Refused,
}

impl References {
    /// Returns whether a connector's setting may be a reference.
    pub(super) fn of(definition: &Definition) -> Self {
        if definition.same_everywhere { Self::Refused } else { Self::Allowed }
    }
}

/// Returns the schema of a setting's value, with the texts that an editor shows.
pub(super) fn property(definition: &Definition, references: References) -> Value {
    let mut schema = schema_of(definition, references);
    schema["title"] = definition.display_name.into();
    schema["description"] = definition.documentation().into();
    match definition.default {
        Default::Text(text) => schema["default"] = text.into(),
        Default::Int(number) => schema["default"] = number.into(),
        Default::Flag(flag) => schema["default"] = flag.into(),
        Default::Required | Default::From(_) | Default::Unset => {}
    }
    schema
}

fn schema_of(definition: &Definition, references: References) -> Value {
    match definition.kind {
        Kind::Int { least, most, also, .. } => {
            let also_text = also.map_or_else(String::new, |also| format!("|{also}"));
            let number = json!({ "type": "integer", "minimum": least, "maximum": most });
            let text = text_like(&format!("^\\s*(?:{}{also_text})\\s*$", range::pattern(least, most)), references);
            let also = also.map(|also| json!({ "const": also }));
            let ways: Vec<Value> = [Some(number), also, Some(text)].into_iter().flatten().collect();
            json!({ "anyOf": ways })
        }
        Kind::Flag => {
            let names = json!({ "enum": ["true", "false"] });
            json!({ "anyOf": [json!({ "type": "boolean" }), names, text_like("^$", references)] })
        }
        Kind::Choice(choices) => {
            let names: Vec<&str> = choices.iter().map(|choice| choice.name).collect();
            let classes: Vec<&str> = choices.iter().filter_map(|choice| choice.class).collect();
            let mut schemas = vec![json!({ "enum": names })];
            if !classes.is_empty() {
                schemas
                    .push(text_like(&format!("^(?:.*\\.)?(?:{})$", [classes, names].concat().join("|")), references));
            } else if references == References::Allowed {
                schemas.push(json!({ "type": "string", "pattern": REFERENCE }));
            }
            json!({ "anyOf": schemas })
        }
        Kind::Topic => {
            let mut schema = any_text();
            schema["pattern"] = "^[a-zA-Z0-9._-]{1,249}$".into();
            schema
        }
        Kind::TopicTemplate => {
            let mut schema = any_text();
            schema["pattern"] = r"^(?:[a-zA-Z0-9._-]|\$\{(?:connector|stream|track|tag:[^}]+)\})+$".into();
            schema
        }
        _ if definition.default == Default::Required || !definition.empty_is_unset => {
            let mut schema = any_text();
            schema["pattern"] = "\\S".into();
            schema
        }
        Kind::Text | Kind::Password | Kind::List | Kind::Regex | Kind::Time | Kind::File => any_text(),
    }
}

/// Returns the schema of text that matches a pattern or contains a reference.
fn text_like(pattern: &str, references: References) -> Value {
    match references {
        References::Allowed => json!({ "type": "string", "pattern": format!("{pattern}|{REFERENCE}") }),
        References::Refused => json!({ "type": "string", "pattern": pattern }),
    }
}

/// Returns the schema of anything that the loader accepts as text.
pub(super) fn any_text() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

/// Returns the schema of a setting of Kafka Connect, which is accepted with some values, or only when empty.
pub(super) fn accepted(key: &ConnectKey) -> Value {
    let mut schema = match key.accepts {
        Accepts::Anything => any_text(),
        // The schema is the same in all versions.
        Accepts::These([env!("CARGO_PKG_VERSION")]) => any_text(),
        Accepts::These(values) => {
            // In any case, a class with or without its package.
            let names: Vec<String> = values.iter().map(|value| insensitive(value)).collect();
            let text =
                json!({ "type": "string", "pattern": format!("^\\s*(?:(?:.*\\.)?(?:{}))?\\s*$", names.join("|")) });
            match values {
                ["true"] => json!({ "anyOf": [{ "const": true }, text] }),
                ["false"] => json!({ "anyOf": [{ "const": false }, text] }),
                _ => match values.iter().map(|value| value.parse::<i64>()).collect::<Result<Vec<_>, _>>() {
                    Ok(numbers) => json!({ "anyOf": [{ "enum": numbers }, text] }),
                    Err(_) => text,
                },
            }
        }
        Accepts::Some(values) => {
            let one = format!("\\s*(?:{})\\s*", values.join("|"));
            json!({ "type": "string", "pattern": format!("^(?:{one}(?:,{one})*)?$") })
        }
        Accepts::Nothing => json!({ "const": "" }),
    };
    schema["description"] = format!("A setting of Kafka Connect: {}.", key.reason).into();
    schema
}

/// Returns a pattern for a word in any case.
fn insensitive(word: &str) -> String {
    let one = |character: char| match character {
        'a'..='z' | 'A'..='Z' => {
            format!("[{}{}]", character.to_ascii_uppercase(), character.to_ascii_lowercase())
        }
        '.' => "\\.".to_owned(),
        other => other.to_string(),
    };
    word.chars().map(one).collect()
}
