//! Generates the tables in docs/CONFIGURATION.md from the tables of settings.
//!
//! They are between markers, `<!-- generated: NAME -->` and `<!-- end -->`; the text around them is written by hand.

use super::connect_keys::{self, Accepts, ConnectKey};
use super::librdkafka_keys::{RULES, Rule};
use super::table::{self, Default, Definition, Kind, Unit};

/// The beginning of the marker in front of a table.
const BEGIN: &str = "<!-- generated: ";
const BEGIN_END: &str = " -->\n";
const END: &str = "<!-- end -->";

/// Reasons why the markers of a document are wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkerError {
    /// There is no table with this name.
    #[error("there is no table {name:?}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// A table has no end marker.
    #[error("the table {name:?} has no {END}")]
    Endless {
        /// Its name.
        name: String,
    },
}

/// Returns a document with all tables between its markers regenerated, and their number.
///
/// # Errors
/// When a marker names no table, or a table has no end marker.
pub fn filled(document: &str) -> Result<(String, usize), MarkerError> {
    let (mut made, mut rest, mut count) = (String::with_capacity(document.len()), document, 0);
    while let Some(begin) = rest.find(BEGIN) {
        let behind = &rest[begin + BEGIN.len()..];
        let name = behind.split(BEGIN_END).next().unwrap_or_default();
        let endless = || MarkerError::Endless { name: name.chars().take(40).collect() };
        let end = behind.find(END).ok_or_else(endless)?;
        made.push_str(&rest[..begin]);
        made.push_str(&format!("{BEGIN}{name}{BEGIN_END}{}{END}", table_of(name)?));
        rest = &behind[end + END.len()..];
        count += 1;
    }
    made.push_str(rest);
    Ok((made, count))
}

fn table_of(name: &str) -> Result<String, MarkerError> {
    match name {
        "worker" => Ok(settings(table::worker())),
        "connector" => Ok(settings(table::connector())),
        "converters" => Ok(converters()),
        "connect: connector" => Ok(connects(connect_keys::CONNECTOR)),
        "connect: worker" => Ok(connects(connect_keys::WORKER)),
        "librdkafka" => Ok(librdkafka()),
        other => Err(MarkerError::Unknown { name: other.chars().take(40).collect() }),
    }
}

/// Returns a table for each group, with one row per setting.
fn settings<'a>(definitions: impl Iterator<Item = &'a Definition>) -> String {
    let (mut made, mut group) = (String::new(), "");
    for definition in definitions {
        if definition.group.title() != group {
            group = definition.group.title();
            made.push_str(&format!("\n### {group}\n\n| key | type | default | what for |\n|---|---|---|---|\n"));
        }
        let (kind, default) = (type_of(definition.kind), default_of(definition));
        let mut doc = marked(definition.doc);
        let choices = definition.choices().iter().map(|choice| format!("`{}` {}", choice.name, marked(choice.doc)));
        let choices: Vec<String> = choices.collect();
        if !choices.is_empty() {
            doc.push_str(&format!(" {}.", choices.join("; ")));
        }
        made.push_str(&format!("| `{}` | {kind} | {default} | {doc} |\n", definition.name));
    }
    made.push('\n');
    made
}

fn type_of(kind: Kind) -> String {
    match kind {
        Kind::Text => "string".to_owned(),
        Kind::Password => "password".to_owned(),
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Int { least, most, also, unit } => {
            let unit = match unit {
                Unit::None => "",
                Unit::Millis => " ms",
                Unit::Bytes => " bytes",
            };
            let also = also.map_or_else(String::new, |also| format!("{also}, or "));
            format!("{also}{least} to {most}{unit}")
        }
        Kind::Choice(choices) => {
            choices.iter().map(|choice| format!("`{}`", choice.name)).collect::<Vec<_>>().join(", ")
        }
        Kind::List => "list".to_owned(),
        Kind::Topic => "topic name".to_owned(),
        Kind::TopicTemplate => "topic name or template".to_owned(),
        Kind::Regex => "regular expression".to_owned(),
        Kind::Time => "time".to_owned(),
        Kind::File => "file".to_owned(),
    }
}

fn default_of(definition: &Definition) -> String {
    match definition.default {
        Default::Required => "required".to_owned(),
        Default::From(sentence) => marked(sentence),
        Default::Unset => String::new(),
        Default::Text(_) | Default::Int(_) | Default::Flag(_) => {
            definition.default_text().map(|text| format!("`{text}`")).unwrap_or_default()
        }
    }
}

/// Returns text for Markdown, in which keys, references and URLs are marked as code.
fn marked(text: &str) -> String {
    let is_key = |word: &str| {
        let key = word.split_once('=').map_or(word, |(key, _)| key);
        // Some keys are also common words.
        key.contains('.') && (table::of_worker(key).is_some() || table::of_connector(key).is_some())
    };
    let is_code = |word: &str| is_key(word) || word.starts_with("${") || word.contains("://") || word.contains('*');
    let words = text.split(' ').map(|word| {
        let core = word.trim_start_matches('(').trim_end_matches(['.', ',', ';', ':', ')']);
        match word.find(core).filter(|_| is_code(core)) {
            Some(begin) => format!("{}`{core}`{}", &word[..begin], &word[begin + core.len()..]),
            None => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn quoted(values: &[&str]) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
}

fn connects(keys: &[ConnectKey]) -> String {
    let mut made = "\n| key | accepted | because |\n|---|---|---|\n".to_owned();
    for key in keys {
        let accepts = match key.accepts {
            Accepts::Anything => "any value".to_owned(),
            Accepts::These(values) | Accepts::Some(values) => quoted(values),
            Accepts::Nothing => "not".to_owned(),
        };
        // The documentation is the same in all versions.
        let accepts = accepts.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        made.push_str(&format!("| `{}` | {accepts} | {} |\n", key.name, key.reason));
    }
    made.push('\n');
    made
}

fn converters() -> String {
    let rows = table::converter_keys().map(|(theirs, ours)| format!("| `{theirs}` | `{}` |\n", ours.name));
    format!("\n| in Kafka Connect | here |\n|---|---|\n{}\n", rows.collect::<String>())
}

fn librdkafka() -> String {
    let mut made = "\n| key | accepted | because |\n|---|---|---|\n".to_owned();
    for (name, rule, reason) in RULES {
        let values = match rule {
            Rule::Refused => "not".to_owned(),
            Rule::Only(values) => quoted(values),
            Rule::AnyBut(value) => format!("any but `{value}`"),
            Rule::Range(least, most) => format!("{least} to {most}"),
            Rule::ZeroOrFrom(least) => format!("0, or at least {least}"),
            Rule::UpToTransactionTimeout(least) => format!("{least} to `transaction.timeout.ms` minus 5000"),
            Rule::UpToThirdOfSession => "50 to a third of `session.timeout.ms`".to_owned(),
            Rule::FromLargestRecord => "at least `memory.budget.size.bytes` / 1024 + 1024".to_owned(),
        };
        made.push_str(&format!("| `{name}` | {values} | {reason} |\n"));
    }
    made.push('\n');
    made
}
