//! How keys and values are written, and the schema registry: settings of a connector, for which the worker's of the same
//! names are the defaults.

use std::path::PathBuf;

use super::definition::Group::{Records, SchemaRegistry};
use super::definition::Importance::{High, Low};
use super::definition::{Choice, Definition, value};
use super::key::{Optional, key, settings};
use super::value as parse;
use crate::config::error::ValueError;
use crate::registry::SubjectNames;

/// How keys are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyConverter {
    /// As text.
    String,
    /// As an Avro string.
    Avro,
    /// As an Avro string, with a schema registry.
    AvroConverter,
}

/// How values are written in Avro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueConverter {
    /// In the framing of the schema registry, if there is one.
    Avro,
    /// In the framing of the schema registry.
    AvroConverter,
    /// In the single-object encoding, whether there is a registry or not.
    SingleObject,
}

const KEY_CONVERTERS: &[Choice] = &[
    value("string", "writes the fragment number as text").or_class("StringConverter"),
    value("avro", "writes it as an Avro string (schemas/fragment-key.avsc)"),
    value("AvroConverter", "is the same, and requires a schema registry"),
];

const VALUE_CONVERTERS: &[Choice] = &[
    value(
        "avro",
        "frames them as Confluent's serializers do if there is a schema registry, else as Avro single objects",
    ),
    value("AvroConverter", "is the same, and requires a schema registry"),
    value("single-object", "writes Avro single objects, whether there is a schema registry or not")
        .or_class("ByteArrayConverter"),
];

const SUBJECT_NAMES: &[Choice] = &[
    value("topic", "names it TOPIC-value").or_class("TopicNameStrategy"),
    value("record", "names it after the record, such as kvs.connect.Fragment").or_class("RecordNameStrategy"),
    value("topic-record", "names it TOPIC-RECORD").or_class("TopicRecordNameStrategy"),
];

/// Converters that write other formats, which kvs-connect does not have.
const OTHER_CONVERTERS: [&str; 4] = ["ByteArrayConverter", "JsonConverter", "JsonSchemaConverter", "ProtobufConverter"];

settings! {
    /// How keys and values are written.
    CONVERTERS {
        KEY_CONVERTER: Optional<KeyConverter> = key("key.converter", "Key format")
            .optional_choice(KEY_CONVERTERS, &[KeyConverter::String, KeyConverter::Avro, KeyConverter::AvroConverter])
            .parse_by(key_converter)
            .from("the worker's, then string")
            .group(Records)
            .doc("How the records' keys, which are fragment numbers, are written.");
        VALUE_CONVERTER: Optional<ValueConverter> = key("value.converter", "Avro framing")
            .optional_choice(
                VALUE_CONVERTERS,
                &[ValueConverter::Avro, ValueConverter::AvroConverter, ValueConverter::SingleObject],
            )
            .parse_by(value_converter)
            .from("the worker's, then avro")
            .group(Records)
            .doc("How values in Avro name their schema. JSON is chosen by value.format.");
    }
}

settings! {
    /// The schema registry.
    REGISTRY {
        URL: Optional<String> = key("schema.registry.url", "Schema registry")
            .optional_list_text()
            .from("the worker's; without one there is no registry")
            .group(SchemaRegistry)
            .importance(High)
            .doc(
                "URLs of a schema registry with the API of Confluent's, separated by commas: https://registry:8081, or \
                 for Apicurio http://registry:8080/apis/ccompat/v7. All of them must lead to the same registry. It is asked \
                 when a connector starts, never while fragments are written.",
            );
        USER_INFO: Optional<String> = key("schema.registry.basic.auth.user.info", "User and password")
            .password()
            .from("the worker's, if schema.registry.url is the worker's")
            .group(SchemaRegistry)
            .doc("User and password for the schema registry, as USER:PASSWORD. It is never shown.");
        TOKEN: Optional<String> = key("schema.registry.bearer.auth.token", "Bearer token")
            .password()
            .from("the worker's, if schema.registry.url is the worker's")
            .group(SchemaRegistry)
            .importance(Low)
            .doc("Token for the schema registry, instead of a user and a password. It is never shown.");
        CA_FILE: Optional<PathBuf> = key("schema.registry.tls.ca.file", "Registry's authorities")
            .file()
            .from("the worker's, if schema.registry.url is the worker's")
            .group(SchemaRegistry)
            .importance(Low)
            .doc("PEM file with certificates of authorities that are trusted in addition to the system's.");
        CERTIFICATE_FILE: Optional<PathBuf> = key("schema.registry.tls.certificate.file", "Client certificate")
            .file()
            .from("the worker's, if schema.registry.url is the worker's")
            .group(SchemaRegistry)
            .importance(Low)
            .dependents(&["schema.registry.tls.key.file"])
            .doc("PEM file with the certificate by which the schema registry knows this client, together with its key.");
        KEY_FILE: Optional<PathBuf> = key("schema.registry.tls.key.file", "Key of the client certificate")
            .file()
            .from("the worker's, if schema.registry.url is the worker's")
            .group(SchemaRegistry)
            .importance(Low)
            .doc("PEM file with the private key of schema.registry.tls.certificate.file.");
        PROXY: Optional<String> = key("schema.registry.proxy.url", "Registry's proxy")
            .password()
            .from("the worker's, if schema.registry.url is the worker's; then HTTPS_PROXY, HTTP_PROXY, ALL_PROXY")
            .group(SchemaRegistry)
            .importance(Low)
            .doc(
                "URL of an HTTP proxy for the schema registry: http://user:password@host:3128, the user and password only if \
                 the proxy requires them. It is never shown.",
            );
        AUTO_REGISTER: Optional<bool> = key("auto.register.schemas", "Register schemas")
            .optional_flag()
            .from("the worker's, then true")
            .group(SchemaRegistry)
            .doc(
                "Whether a schema that a subject does not have is registered, if the registry says that it is compatible. \
                 If false, register it beforehand with kvs-connect schemas register.",
            );
        USE_LATEST: Optional<bool> = key("use.latest.version", "Use the latest version")
            .optional_flag()
            .from("the worker's, then false")
            .group(SchemaRegistry)
            .importance(Low)
            .doc(
                "Whether records name the latest version of their subject, whatever it says about documentation and \
                 defaults. It must describe the same bytes; nothing is registered.",
            );
        VALUE_SUBJECTS: Optional<SubjectNames> = key("value.subject.name.strategy", "Subjects of values")
            .optional_choice(
                SUBJECT_NAMES,
                &[SubjectNames::Topic, SubjectNames::Record, SubjectNames::TopicRecord],
            )
            .parse_by(class_or_name)
            .from("the worker's, then topic")
            .group(SchemaRegistry)
            .importance(Low)
            .doc("How the subject of a value's schema is named in the registry. A key's subject is always TOPIC-key.");
    }
}

/// Names that settings of a converter have in Kafka Connect, each with ours.
pub(in crate::config) const CONVERTER_KEYS: &[(&str, &str)] = &[
    ("key.converter.schema.registry.url", URL.name()),
    ("value.converter.schema.registry.url", URL.name()),
    ("key.converter.basic.auth.user.info", USER_INFO.name()),
    ("value.converter.basic.auth.user.info", USER_INFO.name()),
    ("key.converter.schema.registry.basic.auth.user.info", USER_INFO.name()),
    ("value.converter.schema.registry.basic.auth.user.info", USER_INFO.name()),
    ("key.converter.bearer.auth.token", TOKEN.name()),
    ("value.converter.bearer.auth.token", TOKEN.name()),
    ("key.converter.auto.register.schemas", AUTO_REGISTER.name()),
    ("value.converter.auto.register.schemas", AUTO_REGISTER.name()),
    ("key.converter.use.latest.version", USE_LATEST.name()),
    ("value.converter.use.latest.version", USE_LATEST.name()),
    ("value.converter.value.subject.name.strategy", VALUE_SUBJECTS.name()),
];

/// Reads the format of keys. Explains why other converters are refused.
fn key_converter(
    definition: &Definition,
    values: &'static [KeyConverter],
    text: &str,
) -> Result<KeyConverter, ValueError> {
    if OTHER_CONVERTERS.contains(&class_of(text)) {
        return Err(ValueError::NotKeyConverter { found: text.to_owned() });
    }
    class_or_name(definition, values, text)
}

/// Reads the framing of values. Explains why other converters are refused.
fn value_converter(
    definition: &Definition,
    values: &'static [ValueConverter],
    text: &str,
) -> Result<ValueConverter, ValueError> {
    let class = class_of(text);
    if OTHER_CONVERTERS.contains(&class) && class != "ByteArrayConverter" {
        return Err(ValueError::NotValueConverter { found: text.to_owned() });
    }
    class_or_name(definition, values, text)
}

/// Reads a choice. Accepts Kafka Connect's class, with or without its package, as another name.
fn class_or_name<T: Copy>(definition: &Definition, values: &'static [T], text: &str) -> Result<T, ValueError> {
    let class = class_of(text);
    let alias = definition.choices().iter().find(|choice| choice.class == Some(class));
    parse::choice(definition, values, alias.map_or(class, |choice| choice.name))
}

fn class_of(text: &str) -> &str {
    text.rsplit('.').next().unwrap_or(text)
}
