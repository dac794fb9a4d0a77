//! Reads JSON and refuses objects with duplicate keys, of which one value would silently be ignored.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

/// The maximum number of characters of a key in an error.
const SHOWN_MAX_CHARS: usize = 100;

/// Reads JSON.
///
/// # Errors
/// When the text is not JSON, has another form, or contains, at any depth, an object with a duplicate key.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> Result<T, serde_json::Error> {
    let Unambiguous = serde_json::from_slice(json)?;
    serde_json::from_slice(json)
}

/// Any JSON without duplicate keys.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Unambiguous;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unambiguous, E> {
        Ok(Unambiguous)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Unambiguous, A::Error> {
        while let Some(Unambiguous) = list.next_element()? {}
        Ok(Unambiguous)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Unambiguous, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = object.next_key::<String>()? {
            let Unambiguous = object.next_value()?;
            if keys.contains(&key) {
                let shown: String = key.chars().take(SHOWN_MAX_CHARS).collect();
                return Err(de::Error::custom(format!("the key {shown:?} occurs twice")));
            }
            keys.insert(key);
        }
        Ok(Unambiguous)
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
