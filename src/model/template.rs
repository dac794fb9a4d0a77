//! Templates of topics and headers.
//!
//! **Contract.** A template is text with variables: `${connector}`, `${stream}`, `${track}` and `${tag:NAME}`. Nothing is
//! replaced or escaped in a value: a result that is not allowed is refused by whoever uses it.

use std::borrow::Cow;
use std::fmt;

/// What a template can contain, for people.
pub const VARIABLES: &str = "${connector}, ${stream}, ${track} and ${tag:NAME}";

/// A variable of a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Variable {
    /// The connector's name.
    Connector,
    /// The stream's name.
    Stream,
    /// The name of a track, or its number if it has no name.
    Track,
    /// The value of the fragment's tag with this name.
    Tag(String),
}

impl fmt::Display for Variable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connector => formatter.write_str("${connector}"),
            Self::Stream => formatter.write_str("${stream}"),
            Self::Track => formatter.write_str("${track}"),
            Self::Tag(name) => write!(formatter, "${{tag:{name}}}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(Variable),
}

/// Text with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

/// A text that is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It has a variable that does not exist.
    #[error("{found} is no variable; those are {VARIABLES}")]
    Unknown {
        /// The variable, with its braces.
        found: String,
    },
    /// A variable has no end.
    #[error("the brace of {found:?} is not closed")]
    Unclosed {
        /// The text from its beginning.
        found: String,
    },
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// When a variable does not exist or has no end.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(begin) = rest.find("${") {
            let (before, variable) = rest.split_at(begin);
            let Some((inner, behind)) = variable.get(2..).and_then(|inner| inner.split_once('}')) else {
                return Err(TemplateError::Unclosed { found: variable.to_owned() });
            };
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Variable(match inner {
                "connector" => Variable::Connector,
                "stream" => Variable::Stream,
                "track" => Variable::Track,
                _ => match inner.strip_prefix("tag:").filter(|name| !name.is_empty()) {
                    Some(name) => Variable::Tag(name.to_owned()),
                    None => return Err(TemplateError::Unknown { found: format!("${{{inner}}}") }),
                },
            }));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// Returns the text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the result if it is always the same, because there is no variable.
    pub fn fixed(&self) -> Option<&str> {
        self.variables().next().is_none().then_some(&self.text)
    }

    /// Returns the variables, in their order.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(variable),
            Part::Text(_) => None,
        })
    }

    /// Returns the text between the variables.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Variable(_) => None,
        })
    }

    /// Returns whether it begins with a variable whose value whoever sends the video chooses.
    pub fn begins_with_senders_choice(&self) -> bool {
        matches!(self.parts.first(), Some(Part::Variable(Variable::Tag(_) | Variable::Track)))
    }

    /// Returns whether there is a variable for tracks.
    pub fn has_track(&self) -> bool {
        self.variables().any(|variable| *variable == Variable::Track)
    }

    /// Returns whether a text can be a result, whatever the variables are, as long as none is empty.
    pub fn can_become(&self, text: &str) -> bool {
        if let Some(fixed) = self.fixed() {
            return fixed == text;
        }
        let mut rest = text;
        let mut after_variable = false;
        for (index, part) in self.parts.iter().enumerate() {
            let Part::Text(literal) = part else {
                // Each variable has at least one character.
                let mut characters = rest.chars();
                if characters.next().is_none() {
                    return false;
                }
                rest = characters.as_str();
                after_variable = true;
                continue;
            };
            let found = match (after_variable, index + 1 == self.parts.len()) {
                (false, _) => rest.strip_prefix(literal.as_str()),
                (true, true) => rest.strip_suffix(literal.as_str()).map(|_| ""),
                (true, false) => rest.split_once(literal.as_str()).map(|(_, behind)| behind),
            };
            let Some(behind) = found else { return false };
            (rest, after_variable) = (behind, false);
        }
        rest.is_empty() || after_variable
    }

    /// Returns how much of a result is text of the template's own, in bytes. Of two templates that can have the same result, the one
    /// with more of it is meant.
    pub fn literals_bytes(&self) -> usize {
        self.literals().map(str::len).sum()
    }

    /// Returns whether this template and another one may have the same result: `false` only if it is certain that they do not.
    pub fn may_meet(&self, other: &Self) -> bool {
        let ends = |template: &Self| {
            let text = |part: Option<&Part>| match part {
                Some(Part::Text(text)) => text.clone(),
                _ => String::new(),
            };
            (text(template.parts.first()), text(template.parts.last()))
        };
        match (self.fixed(), other.fixed()) {
            (Some(fixed), _) => return other.can_become(fixed),
            (_, Some(fixed)) => return self.can_become(fixed),
            (None, None) => {}
        }
        let ((begin, end), (other_begin, other_end)) = (ends(self), ends(other));
        (begin.starts_with(&other_begin) || other_begin.starts_with(&begin))
            && (end.ends_with(&other_end) || other_end.ends_with(&end))
    }

    /// Returns the template of a connector with this name, in which `${connector}` is replaced.
    #[must_use]
    pub fn of_connector(&self, connector: &str) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        for part in &self.parts {
            let text = match part {
                Part::Variable(Variable::Connector) => connector,
                Part::Text(text) => text,
                other => {
                    parts.push(other.clone());
                    continue;
                }
            };
            match parts.last_mut() {
                Some(Part::Text(before)) => before.push_str(text),
                _ => parts.push(Part::Text(text.to_owned())),
            }
        }
        let text = parts.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Variable(variable) => variable.to_string(),
        });
        Self { text: text.collect(), parts }
    }

    /// Returns the text with its variables replaced.
    ///
    /// # Errors
    /// The first variable without a value.
    pub fn render<'v>(&self, mut value: impl FnMut(&Variable) -> Option<Cow<'v, str>>) -> Result<String, &Variable> {
        let mut rendered = String::with_capacity(self.text.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => rendered.push_str(text),
                Part::Variable(variable) => rendered.push_str(&value(variable).ok_or(variable)?),
            }
        }
        Ok(rendered)
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
