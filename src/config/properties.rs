//! Java properties files, as Kafka Connect has them for workers and connectors.
//!
//! **Contract.** Comments, continued lines and escapes are read as `java.util.Properties` reads them. A duplicate key,
//! of which Java would silently use the last value, is refused.

use std::collections::BTreeMap;
use std::path::Path;

use java_properties::{LineContent, PropertiesIter};

/// Returns whether a file is one of properties, by its name.
pub fn is_name(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("properties"))
}

/// Reads properties.
///
/// # Errors
/// Keys, which are empty for problems with the whole text, and what is wrong with them.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, Vec<(String, String)>> {
    let (mut settings, mut problems) = (BTreeMap::new(), Vec::new());
    for line in PropertiesIter::new_with_encoding(text.as_bytes(), encoding_rs::UTF_8) {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                problems.push((String::new(), format!("not Java properties: {error}")));
                break;
            }
        };
        let number = line.line_number();
        if let LineContent::KVPair(key, value) = line.consume_content()
            && settings.insert(key.clone(), value).is_some()
        {
            problems.push((key, format!("is set twice, the second time in line {number}")));
        }
    }
    if problems.is_empty() { Ok(settings) } else { Err(problems) }
}

/// Returns a hint to append where another format was expected and the text looks like Java properties.
pub fn hint(text: &str) -> &'static str {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(['#', '!']));
    let is_pair = |line: &str| {
        line.split_once('=').is_some_and(|(key, value)| {
            key.contains('.') && !key.contains(['"', '{']) && !value.trim_start().starts_with(['"', '\''])
        })
    };
    if first.is_some_and(is_pair) { "; Java properties are read from files named *.properties" } else { "" }
}

/// Returns a hint to append where a connector's JSON was expected and the text is something else.
pub fn hint_for_connectors(text: &str) -> &'static str {
    if text.trim_start().starts_with('{') {
        ""
    } else {
        "; a connector is read as JSON, {\"name\": …, \"config\": {…}}, or as Java properties from a file named \
         *.properties; a worker's settings are passed with --worker"
    }
}

#[cfg(test)]
#[path = "properties_tests.rs"]
mod tests;
