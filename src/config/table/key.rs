//! Entries of a table: [`key`] begins one, `settings!` declares several, and readers read settings by them.

use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use super::definition::{Choice, Default, Definition, Group, Importance, Kind, Unit};
use super::value::{self, Parse};
use crate::config::error::ValueError;
use crate::model::Template;

/// Marks a setting that always has a value, its own or the default.
#[derive(Debug)]
pub enum Always {}

/// Marks a setting that may be unset.
#[derive(Debug)]
pub enum Perhaps {}

/// A setting that is read as a `T`.
#[derive(Debug)]
pub struct Key<T: 'static, P = Always> {
    pub(in crate::config) definition: Definition,
    values: &'static [T],
    parse: Parse<T>,
    presence: PhantomData<fn() -> P>,
}

/// A setting that is read as a `T` and may be unset.
pub type Optional<T> = Key<T, Perhaps>;

// Derived implementations would require `T` and `P` to implement the same.
impl<T, P> Clone for Key<T, P> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T, P> Copy for Key<T, P> {}

/// The beginning of an entry, whose value's type is not known yet.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    name: &'static str,
    display_name: &'static str,
}

/// Begins an entry with its key and a label of a few words.
pub const fn key(name: &'static str, display_name: &'static str) -> Named {
    Named { name, display_name }
}

impl Named {
    const fn entry<T, P>(self, kind: Kind, default: Default, values: &'static [T], parse: Parse<T>) -> Key<T, P> {
        let definition = Definition {
            name: self.name,
            display_name: self.display_name,
            kind,
            default,
            group: Group::Common,
            importance: Importance::Medium,
            doc: "",
            dependents: &[],
            empty_is_unset: !matches!(kind, Kind::Int { .. } | Kind::Choice(_)),
            same_everywhere: false,
            strict_reference: matches!(kind, Kind::Password),
        };
        Key { definition, values, parse, presence: PhantomData }
    }

    /// Required text.
    pub const fn required_text(self) -> Key<String> {
        self.entry(Kind::Text, Default::Required, &[], value::text)
    }

    /// The name of a topic, required.
    pub const fn required_topic(self) -> Key<String> {
        self.entry(Kind::Topic, Default::Required, &[], value::topic)
    }

    /// Text with a default.
    pub const fn text(self, default: &'static str) -> Key<String> {
        self.entry(Kind::Text, Default::Text(default), &[], value::text).not_empty()
    }

    /// The name of a topic, with a default.
    pub const fn topic(self, default: &'static str) -> Key<String> {
        self.entry(Kind::Topic, Default::Text(default), &[], value::topic).not_empty()
    }

    /// Items separated by commas, with a default. They are read as one text by the function that checks each of them.
    pub const fn list_text(self, default: &'static str) -> Key<String> {
        self.entry(Kind::List, Default::Text(default), &[], value::text).not_empty()
    }

    /// `true` or `false`, with a default.
    pub const fn flag(self, default: bool) -> Key<bool> {
        self.entry(Kind::Flag, Default::Flag(default), &[], value::flag)
    }

    /// A whole number in a range, with a default.
    pub const fn int<N: TryFrom<i64>>(self, default: i64, range: RangeInclusive<i64>) -> Key<N> {
        self.entry(int_kind(range, Unit::None), Default::Int(default), &[], value::int::<N>)
    }

    /// A number of bytes, with a default.
    pub const fn bytes(self, default: i64, range: RangeInclusive<i64>) -> Key<usize> {
        self.entry(int_kind(range, Unit::Bytes), Default::Int(default), &[], value::int::<usize>)
    }

    /// A duration in milliseconds, with a default.
    pub const fn millis(self, default: i64, range: RangeInclusive<i64>) -> Key<Duration> {
        self.entry(int_kind(range, Unit::Millis), Default::Int(default), &[], |definition, _, text| {
            value::int::<u64>(definition, &[], text).map(Duration::from_millis)
        })
    }

    /// A number of milliseconds that may be negative, or has a number with its own meaning, with a default.
    pub const fn signed_millis(self, default: i64, range: RangeInclusive<i64>) -> Key<i64> {
        self.entry(int_kind(range, Unit::Millis), Default::Int(default), &[], value::int::<i64>)
    }

    /// A replication factor; the default is -1, the broker's default.
    pub const fn replication_factor(self) -> Key<i32> {
        self.int(-1, 1..=100).or_int(-1)
    }

    /// One of a few values, with a default; `values` are the results of reading them, in the same order.
    pub const fn choice<T: Copy>(
        self,
        default: &'static str,
        choices: &'static [Choice],
        values: &'static [T],
    ) -> Key<T> {
        // A wrong table does not compile.
        assert!(choices.len() == values.len(), "every choice needs a value");
        self.entry(Kind::Choice(choices), Default::Text(default), values, value::choice::<T>)
    }

    /// One of a few values that may be unset; `values` are the results of reading them, in the same order.
    pub const fn optional_choice<T: Copy>(self, choices: &'static [Choice], values: &'static [T]) -> Optional<T> {
        assert!(choices.len() == values.len(), "every choice needs a value");
        self.entry(Kind::Choice(choices), Default::Unset, values, value::choice::<T>).empty_is_unset()
    }

    /// Text that may be unset.
    pub const fn optional_text(self) -> Optional<String> {
        self.entry(Kind::Text, Default::Unset, &[], value::text)
    }

    /// The name of a topic that may be unset.
    pub const fn optional_topic(self) -> Optional<String> {
        self.entry(Kind::Topic, Default::Unset, &[], value::topic).empty_is_unset()
    }

    /// The name of a topic, which may contain variables, required.
    pub const fn required_topic_template(self) -> Key<Template> {
        self.entry(Kind::TopicTemplate, Default::Required, &[], value::topic_template)
    }

    /// The name of a topic, which may contain variables or be unset.
    pub const fn optional_topic_template(self) -> Optional<Template> {
        self.entry(Kind::TopicTemplate, Default::Unset, &[], value::topic_template).empty_is_unset()
    }

    /// Text that may contain variables or be unset.
    pub const fn template(self) -> Optional<Template> {
        self.entry(Kind::Text, Default::Unset, &[], value::template)
    }

    /// Text that may be unset and is secret.
    pub const fn password(self) -> Optional<String> {
        self.entry(Kind::Password, Default::Unset, &[], value::text)
    }

    /// A flag that may be unset.
    pub const fn optional_flag(self) -> Optional<bool> {
        self.entry(Kind::Flag, Default::Unset, &[], value::flag)
    }

    /// A whole number in a range that may be unset.
    pub const fn optional_int<N: TryFrom<i64>>(self, range: RangeInclusive<i64>) -> Optional<N> {
        self.entry(int_kind(range, Unit::None), Default::Unset, &[], value::int::<N>).empty_is_unset()
    }

    /// A number of milliseconds that may be negative or unset.
    pub const fn optional_signed_millis(self, range: RangeInclusive<i64>) -> Optional<i64> {
        self.entry(int_kind(range, Unit::Millis), Default::Unset, &[], value::int::<i64>).empty_is_unset()
    }

    /// Items separated by commas; none if unset.
    pub const fn optional_list(self) -> Optional<Vec<String>> {
        self.entry(Kind::List, Default::Unset, &[], value::list)
    }

    /// Items separated by commas that may be unset. They are read as one text by the function that checks each of them.
    pub const fn optional_list_text(self) -> Optional<String> {
        self.entry(Kind::List, Default::Unset, &[], value::text)
    }

    /// A regular expression that may be unset.
    pub const fn regex(self) -> Optional<Regex> {
        self.entry(Kind::Regex, Default::Unset, &[], value::regex)
    }

    /// The path of a file that may be unset.
    pub const fn file(self) -> Optional<PathBuf> {
        self.entry(Kind::File, Default::Unset, &[], value::path)
    }

    /// A point in time that may be unset. It is read as text, because other settings decide which times are allowed.
    pub const fn time(self) -> Optional<String> {
        self.entry(Kind::Time, Default::Unset, &[], value::text)
    }
}

const fn int_kind(range: RangeInclusive<i64>, unit: Unit) -> Kind {
    Kind::Int { least: *range.start(), most: *range.end(), also: None, unit }
}

impl<T, P> Key<T, P> {
    /// Returns the setting's definition.
    pub const fn definition(&self) -> Definition {
        self.definition
    }

    /// Returns the key.
    pub const fn name(&self) -> &'static str {
        self.definition.name
    }

    /// Reads a text that is not empty.
    ///
    /// # Errors
    /// What is wrong with it, and what was expected.
    pub fn parse(&self, text: &str) -> Result<T, ValueError> {
        (self.parse)(&self.definition, self.values, text)
    }

    /// Returns the typed default, if it is a value.
    pub fn default_value(&self) -> Option<T> {
        self.definition.default_text().and_then(|text| self.parse(&text).ok())
    }

    /// Sets the group in which the setting is shown.
    pub const fn group(mut self, group: Group) -> Self {
        self.definition.group = group;
        self
    }

    /// Sets the importance.
    pub const fn importance(mut self, importance: Importance) -> Self {
        self.definition.importance = importance;
        self
    }

    /// Sets the purpose.
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.definition.doc = doc;
        self
    }

    /// Sets the settings whose meaning depends on the value of this one.
    pub const fn dependents(mut self, dependents: &'static [&'static str]) -> Self {
        self.definition.dependents = dependents;
        self
    }

    /// Requires the same value on all workers: references are refused.
    pub const fn same_everywhere(mut self) -> Self {
        self.definition.same_everywhere = true;
        self
    }

    /// Requires `${` to begin a complete reference.
    pub const fn strict_reference(mut self) -> Self {
        self.definition.strict_reference = true;
        self
    }

    /// Makes an empty value mean unset.
    pub const fn empty_is_unset(mut self) -> Self {
        self.definition.empty_is_unset = true;
        self
    }

    /// Refuses an empty value.
    pub const fn not_empty(mut self) -> Self {
        self.definition.empty_is_unset = false;
        self
    }

    /// Also accepts a number outside the range.
    pub const fn or_int(mut self, number: i64) -> Self {
        if let Kind::Int { also, .. } = &mut self.definition.kind {
            *also = Some(number);
        }
        self
    }

    /// Replaces the function that reads the value.
    pub const fn parse_by(mut self, parse: Parse<T>) -> Self {
        self.parse = parse;
        self
    }
}

impl<T> Optional<T> {
    /// Describes where the value comes from if it is not set.
    pub const fn from(mut self, sentence: &'static str) -> Self {
        self.definition.default = Default::From(sentence);
        self
    }
}

/// Declares settings as constants, and the list of their definitions.
macro_rules! settings {
    ($(#[$doc:meta])* $table:ident { $( $name:ident : $kind:ty = $key:expr; )+ }) => {
        $(
            // The list repeats the definition, so that the constant of a setting that is never read is unused code.
            pub(crate) const $name: $kind = $key;
        )+
        $(#[$doc])*
        pub(in crate::config::table) const $table: &[$crate::config::table::definition::Definition] = &[
            $( { const ENTRY: $kind = $key; ENTRY.definition() } ),+
        ];
    };
}
pub(super) use settings;
