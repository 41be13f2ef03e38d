//! A document's JSON as it was written, and where in it something stands.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::DocumentError;
use crate::error::shortened;

/// A JSON value. Repeated names are kept, so that they can be refused: whoever reads a document
/// from the top and whoever takes the last of two elements must not see different policies.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Truth(bool),
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Truth(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Node::Object(object))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

/// Where a value stands: `Statement[1].Condition.IpAddress`.
#[derive(Clone, Copy)]
pub(super) enum Place<'p> {
    Document,
    Element(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document => f.write_str("the document"),
            Self::Element(Self::Document, name) => write!(f, "{}", plain(name)),
            Self::Element(outer, name) => write!(f, "{outer}.{}", plain(name)),
            Self::Item(outer, index) => write!(f, "{outer}[{index}]"),
        }
    }
}

/// A name as an error may repeat it: those of the grammar as they are, others in quotes.
fn plain(name: &str) -> String {
    let is_plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b":-_/".contains(&b));
    if !name.is_empty() && name.len() <= 80 && is_plain(name) { name.to_owned() } else { shortened(name) }
}

/// A value and where it stands.
#[derive(Clone, Copy)]
pub(super) struct At<'p> {
    pub(super) node: &'p Node,
    pub(super) place: Place<'p>,
}

impl<'p> At<'p> {
    /// The document itself.
    pub(super) const fn document(node: &'p Node) -> Self {
        Self { node, place: Place::Document }
    }

    /// Refuses the value, which is not what was expected.
    pub(super) fn refuse(&self, expected: impl Into<String>) -> DocumentError {
        let found = match self.node {
            Node::Null => "null".to_owned(),
            Node::Truth(value) => value.to_string(),
            Node::Number(number) => number.clone(),
            Node::Text(text) => shortened(text),
            Node::List(items) if items.is_empty() => "an empty array".to_owned(),
            Node::List(_) => "an array".to_owned(),
            Node::Object(_) => "an object".to_owned(),
        };
        self.refuse_as(expected, found)
    }

    /// Refuses the value in other words than its own.
    pub(super) fn refuse_as(&self, expected: impl Into<String>, found: impl Into<String>) -> DocumentError {
        DocumentError { place: self.place.to_string(), expected: expected.into(), found: found.into() }
    }

    /// The text that it is.
    pub(super) fn text(&self, expected: &str) -> Result<&'p str, DocumentError> {
        match self.node {
            Node::Text(text) => Ok(text),
            _ => Err(self.refuse(expected)),
        }
    }

    /// The text that it is or stands for: of numbers and truth values as they are written.
    pub(super) fn scalar(&self, expected: &str) -> Result<&'p str, DocumentError> {
        match self.node {
            Node::Text(text) | Node::Number(text) => Ok(text),
            Node::Truth(true) => Ok("true"),
            Node::Truth(false) => Ok("false"),
            Node::Null | Node::List(_) | Node::Object(_) => Err(self.refuse(expected)),
        }
    }

    /// Reads one value, or each of a list that has at least one.
    pub(super) fn each<T>(
        &self,
        mut read: impl FnMut(At<'_>) -> Result<T, DocumentError>,
    ) -> Result<Box<[T]>, DocumentError> {
        match self.node {
            Node::List(items) if items.is_empty() => Err(self.refuse("at least one value")),
            Node::List(items) => {
                let items = items.iter().enumerate();
                items.map(|(index, node)| read(At { node, place: Place::Item(&self.place, index) })).collect()
            }
            _ => Ok(Box::new([read(*self)?])),
        }
    }

    /// The entries that it has, none of them twice.
    pub(super) fn entries(
        &self,
        expected: &str,
    ) -> Result<impl Iterator<Item = (&'p str, At<'_>)>, DocumentError> {
        let Node::Object(entries) = self.node else { return Err(self.refuse(expected)) };
        for (index, (name, node)) in entries.iter().enumerate() {
            if entries[..index].iter().any(|(earlier, _)| earlier == name) {
                let twice = At { node, place: Place::Element(&self.place, name) };
                return Err(twice.refuse_as("it once", "it twice"));
            }
        }
        Ok(entries.iter().map(|(name, node)| {
            (name.as_str(), At { node, place: Place::Element(&self.place, name.as_str()) })
        }))
    }
}
