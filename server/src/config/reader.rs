//! Gives the merged settings their types: a serde deserializer that knows where it is.
//!
//! The environment and flags say everything in text, so the key's type decides how it is read:
//! `true` for a boolean, digits for a number, commas between the entries of a list. Enums tagged
//! inside are therefore not for configuration: serde copies their fields before it asks for types.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use toml::Value;

use super::settings::Settings;

/// What a configuration's tables say they expect.
const TABLE: &str = "a table";

/// A value, the key it stands under, and the settings that know where it was written.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    value: &'a Value,
    key: String,
    settings: &'a Settings,
}

impl<'a> Reader<'a> {
    pub(super) fn new(root: &'a Value, settings: &'a Settings) -> Self {
        Self { value: root, key: String::new(), settings }
    }

    /// The text of a value whose type is not written down.
    fn untyped(&self) -> Option<&'a str> {
        self.value.as_str().filter(|_| self.settings.origin(&self.key).is_untyped())
    }

    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.untyped().map(str::parse::<i64>) {
            Some(Ok(number)) => {
                visitor.visit_i64(number).map_err(|refusal: Refusal| refusal.under(&self.key))
            }
            Some(Err(_)) => Err(Refusal::message("not a whole number").under(&self.key)),
            None => self.deserialize_any(visitor),
        }
    }
}

macro_rules! numbers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            self.number(visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let result = match self.value {
            Value::Table(table) => {
                visitor.visit_map(Entries { table: table.iter(), next: None, outer: &self })
            }
            Value::Array(array) => visitor.visit_seq(Items { items: array.iter(), reader: self.clone() }),
            Value::String(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(truth) => visitor.visit_bool(*truth),
            Value::Datetime(time) => visitor.visit_string(time.to_string()),
        };
        result.map_err(|refusal: Refusal| refusal.under(&self.key))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.untyped() {
            Some("true") => visitor.visit_bool(true),
            Some("false") => visitor.visit_bool(false),
            Some(_) => Err(Refusal::message("neither true nor false").under(&self.key)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let Some(text) = self.untyped() else { return self.deserialize_any(visitor) };
        let items: Vec<Value> = text.split(',').map(|item| Value::String(item.trim().to_owned())).collect();
        let result = visitor.visit_seq(Items { items: items.iter(), reader: self.clone() });
        result.map_err(|refusal: Refusal| refusal.under(&self.key))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    numbers!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct
        enum identifier ignored_any
    }
}

struct Entries<'a, 's> {
    table: toml::map::Iter<'a, String, Value>,
    next: Option<Reader<'a>>,
    outer: &'s Reader<'a>,
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        let Some((name, value)) = self.table.next() else { return Ok(None) };
        let key = if self.outer.key.is_empty() { name.clone() } else { format!("{}.{name}", self.outer.key) };
        self.next = Some(Reader { value, key, settings: self.outer.settings });
        let name: StrDeserializer<'_, Refusal> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refusal> {
        let reader = self.next.take().ok_or_else(|| Refusal::message("a value before its key"))?;
        let key = reader.key.clone();
        seed.deserialize(reader).map_err(|refusal| refusal.under(&key))
    }
}

struct Items<'a, 'i> {
    items: std::slice::Iter<'i, Value>,
    reader: Reader<'a>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Refusal;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Refusal> {
        let Some(value) = self.items.next() else { return Ok(None) };
        seed.deserialize(Reader { value, key: self.reader.key.clone(), settings: self.reader.settings })
            .map(Some)
    }
}

/// Why a value does not fit its key.
#[derive(Debug)]
pub(super) struct Refusal {
    key: Option<String>,
    why: Why,
}

#[derive(Debug)]
enum Why {
    UnknownKey { name: String, known: &'static [&'static str] },
    MissingKey { name: &'static str },
    NotATable,
    Message(String),
}

impl Refusal {
    fn message(message: impl fmt::Display) -> Self {
        Self { key: None, why: Why::Message(message.to_string()) }
    }

    /// Adds the key, unless a deeper one is known.
    fn under(mut self, outer: &str) -> Self {
        if self.key.is_none() {
            self.key = Some(match &self.why {
                Why::UnknownKey { name, .. } if outer.is_empty() => name.clone(),
                Why::UnknownKey { name, .. } => format!("{outer}.{name}"),
                Why::MissingKey { name } if outer.is_empty() => (*name).to_owned(),
                Why::MissingKey { name } => format!("{outer}.{name}"),
                Why::NotATable | Why::Message(_) => outer.to_owned(),
            });
        }
        self
    }

    /// The key it is about, `section.key`.
    pub(super) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or_default()
    }

    /// Whether the name itself is wrong: no such key, or a section's name where a key is needed.
    pub(super) fn is_unknown_key(&self) -> bool {
        matches!(self.why, Why::UnknownKey { .. } | Why::NotATable)
    }

    /// The known key that was probably meant.
    pub(super) fn nearest(&self) -> Option<String> {
        let Why::UnknownKey { name, known } = &self.why else { return None };
        let distance = |known: &str| strsim::damerau_levenshtein(name, known);
        let nearest = known.iter().map(|known| (distance(known), known)).min()?;
        let (distance, nearest) = nearest;
        if distance > 2.max(nearest.len() / 3) {
            return None;
        }
        let section = self.key().strip_suffix(name.as_str())?;
        Some(format!("{section}{nearest}"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key();
        match &self.why {
            Why::UnknownKey { known, .. } => match self.nearest() {
                Some(nearest) => write!(f, "unknown key {key}; did you mean {nearest}?"),
                None => write!(f, "unknown key {key}; known here: {}", known.join(", ")),
            },
            Why::MissingKey { .. } => write!(f, "{key} is missing"),
            Why::NotATable => write!(f, "{key} is a section; write its keys under [{key}]"),
            Why::Message(message) => write!(f, "{key}: {message}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::message(message)
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = expected.to_string();
        if expected == TABLE {
            return Self { key: None, why: Why::NotATable };
        }
        Self::invalid_value(found, &expected.as_str())
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = expected.to_string();
        let expected = match expected.as_str() {
            "i64" | "u64" | "usize" => "a whole number",
            "path string" => "a string",
            "a duration" => "a duration such as 30s, 5m, 24h or 30d",
            other => other,
        };
        Self::message(format_args!("expected {expected}, found {found}"))
    }

    fn unknown_field(name: &str, known: &'static [&'static str]) -> Self {
        Self { key: None, why: Why::UnknownKey { name: name.to_owned(), known } }
    }

    fn missing_field(name: &'static str) -> Self {
        Self { key: None, why: Why::MissingKey { name } }
    }
}
