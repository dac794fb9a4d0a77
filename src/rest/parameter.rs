//! The parameters of a request, as the OpenAPI document describes them.

use serde::Serialize;

/// A part of a path, or of a query.
#[derive(Clone, Serialize)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    r#in: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    required: bool,
    description: &'static str,
    schema: ParameterSchema,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<ParameterValue>,
    #[serde(flatten)]
    style: Option<Style>,
}

/// How a list stands in a query.
#[derive(Clone, Serialize)]
struct Style {
    style: &'static str,
    explode: bool,
}

/// What a parameter may be.
#[derive(Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ParameterSchema {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_length: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#enum: Option<&'static [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<ParameterValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<Box<ParameterSchema>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<&'static [&'static str]>,
}

/// The value of a parameter.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum ParameterValue {
    Flag(bool),
    Number(u32),
    Text(&'static str),
}

impl Parameter {
    fn new(r#in: &'static str, name: &'static str, description: &'static str, schema: ParameterSchema) -> Self {
        Self { name, r#in, required: r#in == "path", description, schema, example: None, style: None }
    }

    /// Describes a text in a path, of at most `max_chars` characters where that is bounded.
    pub(super) fn text(
        name: &'static str,
        description: &'static str,
        max_chars: Option<u32>,
        example: &'static str,
    ) -> Self {
        let schema = ParameterSchema {
            r#type: "string",
            min_length: Some(1),
            max_length: max_chars,
            ..ParameterSchema::default()
        };
        Self { example: Some(ParameterValue::Text(example)), ..Self::new("path", name, description, schema) }
    }

    /// Describes a number in a path, from 0 on.
    pub(super) fn number(name: &'static str, description: &'static str, example: u32) -> Self {
        let schema = ParameterSchema {
            r#type: "integer",
            format: Some("int32"),
            minimum: Some(0),
            ..ParameterSchema::default()
        };
        Self { example: Some(ParameterValue::Number(example)), ..Self::new("path", name, description, schema) }
    }

    /// Describes a flag of a query, which is off where it is left out.
    pub(super) fn flag(name: &'static str, description: &'static str) -> Self {
        let schema = ParameterSchema {
            r#type: "boolean",
            default: Some(ParameterValue::Flag(false)),
            ..ParameterSchema::default()
        };
        Self::new("query", name, description, schema)
    }

    /// Describes a choice of a query; the first one is taken where it is left out.
    pub(super) fn choice(name: &'static str, description: &'static str, choices: &'static [&'static str]) -> Self {
        let default = choices.first().copied().map(ParameterValue::Text);
        let schema = ParameterSchema { r#type: "string", r#enum: Some(choices), default, ..ParameterSchema::default() };
        Self::new("query", name, description, schema)
    }

    /// Describes texts of a query, each given by a parameter of its own.
    pub(super) fn list(name: &'static str, description: &'static str, example: &'static [&'static str]) -> Self {
        let items = Box::new(ParameterSchema { r#type: "string", ..ParameterSchema::default() });
        let schema = ParameterSchema {
            r#type: "array",
            items: Some(items),
            example: Some(example),
            ..ParameterSchema::default()
        };
        let style = Some(Style { style: "form", explode: true });
        Self { style, ..Self::new("query", name, description, schema) }
    }

    /// Says which texts there are.
    pub(super) fn pattern(mut self, pattern: &'static str) -> Self {
        self.schema.pattern = Some(pattern);
        self
    }
}
