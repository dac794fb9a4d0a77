//! An entry of a table: [`key`] begins it, `settings!` puts entries together, and readers read by them.

use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;

use super::definition::{Choice, Default, Definition, Group, Importance, Kind, Unit};
use super::value::{self, Parse};
use crate::config::error::ValueError;

/// Marks a setting that has a value, given or by default, once it is read without a problem.
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

// Derived ones would ask for the same of `T` and `P`.
impl<T, P> Clone for Key<T, P> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T, P> Copy for Key<T, P> {}

/// The beginning of an entry, which does not say yet what the value is.
#[derive(Debug, Clone, Copy)]
pub struct Named {
    name: &'static str,
    display_name: &'static str,
}

/// Begins an entry: the key, and a label of a few words.
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

    /// Text that has to be given.
    pub const fn required_text(self) -> Key<String> {
        self.entry(Kind::Text, Default::Required, &[], value::text)
    }

    /// The name of a topic, which has to be given.
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

    /// Items with commas between, with a default. They are read as one text by whoever judges each of them.
    pub const fn list_text(self, default: &'static str) -> Key<String> {
        self.entry(Kind::List, Default::Text(default), &[], value::text).not_empty()
    }

    /// `true` or `false`, with a default.
    pub const fn flag(self, default: bool) -> Key<bool> {
        self.entry(Kind::Flag, Default::Flag(default), &[], value::flag)
    }

    /// A whole number of a range, with a default.
    pub const fn int<N: TryFrom<i64>>(self, default: i64, range: RangeInclusive<i64>) -> Key<N> {
        self.entry(int_kind(range, Unit::None), Default::Int(default), &[], value::int::<N>)
    }

    /// A number of bytes, with a default.
    pub const fn bytes(self, default: i64, range: RangeInclusive<i64>) -> Key<usize> {
        self.entry(int_kind(range, Unit::Bytes), Default::Int(default), &[], value::int::<usize>)
    }

    /// A time in milliseconds, with a default.
    pub const fn millis(self, default: i64, range: RangeInclusive<i64>) -> Key<Duration> {
        self.entry(int_kind(range, Unit::Millis), Default::Int(default), &[], |definition, _, text| {
            value::int::<u64>(definition, &[], text).map(Duration::from_millis)
        })
    }

    /// A time in milliseconds that may be negative or has a number with a meaning of its own, with a default.
    pub const fn signed_millis(self, default: i64, range: RangeInclusive<i64>) -> Key<i64> {
        self.entry(int_kind(range, Unit::Millis), Default::Int(default), &[], value::int::<i64>)
    }

    /// A replication factor; -1, the default, is the broker's own.
    pub const fn replication_factor(self) -> Key<i32> {
        self.int(-1, 1..=100).or_int(-1)
    }

    /// One of a few values, with a default; `values` are what they are read as, in the same order.
    pub const fn choice<T: Copy>(
        self,
        default: &'static str,
        choices: &'static [Choice],
        values: &'static [T],
    ) -> Key<T> {
        // A table that is wrong does not compile.
        assert!(choices.len() == values.len(), "every choice needs a value");
        self.entry(Kind::Choice(choices), Default::Text(default), values, value::choice::<T>)
    }

    /// Text that may be unset.
    pub const fn optional_text(self) -> Optional<String> {
        self.entry(Kind::Text, Default::Unset, &[], value::text)
    }

    /// The name of a topic that may be unset.
    pub const fn optional_topic(self) -> Optional<String> {
        self.entry(Kind::Topic, Default::Unset, &[], value::topic).empty_is_unset()
    }

    /// Text that may be unset and is never shown.
    pub const fn password(self) -> Optional<String> {
        self.entry(Kind::Password, Default::Unset, &[], value::text)
    }

    /// A flag that may be unset.
    pub const fn optional_flag(self) -> Optional<bool> {
        self.entry(Kind::Flag, Default::Unset, &[], value::flag)
    }

    /// A whole number of a range that may be unset.
    pub const fn optional_int<N: TryFrom<i64>>(self, range: RangeInclusive<i64>) -> Optional<N> {
        self.entry(int_kind(range, Unit::None), Default::Unset, &[], value::int::<N>).empty_is_unset()
    }

    /// A time in milliseconds, before or after, that may be unset.
    pub const fn optional_signed_millis(self, range: RangeInclusive<i64>) -> Optional<i64> {
        self.entry(int_kind(range, Unit::Millis), Default::Unset, &[], value::int::<i64>).empty_is_unset()
    }

    /// Items with commas between; none when it is unset.
    pub const fn optional_list(self) -> Optional<Vec<String>> {
        self.entry(Kind::List, Default::Unset, &[], value::list)
    }

    /// Items with commas between that may be unset. They are read as one text by whoever judges each of them.
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

    /// A point in time that may be unset. It is read as text, for which times are taken depends on other settings.
    pub const fn time(self) -> Optional<String> {
        self.entry(Kind::Time, Default::Unset, &[], value::text)
    }
}

const fn int_kind(range: RangeInclusive<i64>, unit: Unit) -> Kind {
    Kind::Int { least: *range.start(), most: *range.end(), also: None, unit }
}

impl<T, P> Key<T, P> {
    /// Returns what is known of the setting.
    pub const fn definition(&self) -> Definition {
        self.definition
    }

    /// Returns the key.
    pub const fn name(&self) -> &'static str {
        self.definition.name
    }

    /// Reads a text that is not empty, or says what is wrong with it.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(&self, text: &str) -> Result<T, ValueError> {
        (self.parse)(&self.definition, self.values, text)
    }

    /// Returns the default as it is read, if the default is a value.
    pub fn default_value(&self) -> Option<T> {
        self.definition.default_text().and_then(|text| self.parse(&text).ok())
    }

    /// Sets with which other settings it is shown.
    pub const fn group(mut self, group: Group) -> Self {
        self.definition.group = group;
        self
    }

    /// Sets how much depends on it.
    pub const fn importance(mut self, importance: Importance) -> Self {
        self.definition.importance = importance;
        self
    }

    /// Sets what it is for.
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.definition.doc = doc;
        self
    }

    /// Sets which settings depend on the value of this one.
    pub const fn dependents(mut self, dependents: &'static [&'static str]) -> Self {
        self.definition.dependents = dependents;
        self
    }

    /// Has all workers see the same value: no reference can stand here.
    pub const fn same_everywhere(mut self) -> Self {
        self.definition.same_everywhere = true;
        self
    }

    /// Has nothing but a whole reference begin with `${`.
    pub const fn strict_reference(mut self) -> Self {
        self.definition.strict_reference = true;
        self
    }

    /// Takes an empty value for none.
    pub const fn empty_is_unset(mut self) -> Self {
        self.definition.empty_is_unset = true;
        self
    }

    /// Refuses an empty value.
    pub const fn not_empty(mut self) -> Self {
        self.definition.empty_is_unset = false;
        self
    }

    /// Takes a number outside of the range, too.
    pub const fn or_int(mut self, number: i64) -> Self {
        if let Kind::Int { also, .. } = &mut self.definition.kind {
            *also = Some(number);
        }
        self
    }

    /// Reads the value in another way than its kind has it.
    pub const fn parse_by(mut self, parse: Parse<T>) -> Self {
        self.parse = parse;
        self
    }
}

impl<T> Optional<T> {
    /// Tells where the value comes from when it is not given.
    pub const fn from(mut self, sentence: &'static str) -> Self {
        self.definition.default = Default::From(sentence);
        self
    }
}

/// Declares settings as constants to read them by, and the list of what is known of them.
macro_rules! settings {
    ($(#[$doc:meta])* $table:ident { $( $name:ident : $kind:ty = $key:expr; )+ }) => {
        $(
            // The list has an entry of its own, so that a setting that nobody reads is a constant that nobody uses.
            pub(crate) const $name: $kind = $key;
        )+
        $(#[$doc])*
        pub(in crate::config::table) const $table: &[$crate::config::table::definition::Definition] = &[
            $( { const ENTRY: $kind = $key; ENTRY.definition() } ),+
        ];
    };
}
pub(super) use settings;
