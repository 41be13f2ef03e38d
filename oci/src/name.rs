//! Repository names, tags and references (distribution-spec, *Pulling manifests*).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Digest, ParseError};

/// A repository's name, such as `team-a/app`: at most 255 characters; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName(Arc<str>);

impl RepositoryName {
    /// The longest name, in characters: with a host name it still fits clients' limits.
    pub const MAX_LEN: usize = 255;

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RepositoryName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let valid = text.len() <= Self::MAX_LEN && text.split('/').all(is_path_component);
        if valid { Ok(Self(text.into())) } else { Err(ParseError::RepositoryName(shortened(text))) }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    if !alphanumeric(first) || !alphanumeric(last) {
        return false;
    }
    let is_separator = |run: &[u8]| match run {
        b"." | b"_" | b"__" => true,
        run => run.iter().all(|&b| b == b'-'),
    };
    bytes
        .chunk_by(|&a, &b| alphanumeric(a) == alphanumeric(b))
        .all(|run| alphanumeric(run[0]) || is_separator(run))
}

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The longest tag, in characters.
    pub const MAX_LEN: usize = 128;

    /// The whole tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let mut bytes = text.bytes();
        let valid = text.len() <= Self::MAX_LEN
            && bytes.next().is_some_and(word)
            && bytes.all(|b| word(b) || b == b'.' || b == b'-');
        if valid { Ok(Self(text.into())) } else { Err(ParseError::Tag(shortened(text))) }
    }
}

/// What names a manifest inside a repository: a tag, or a digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A movable name.
    Tag(Tag),
    /// The content itself.
    Digest(Digest),
}

impl Reference {
    /// The tag or the whole digest.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Tag(tag) => tag.as_str(),
            Self::Digest(digest) => digest.as_str(),
        }
    }
}

impl FromStr for Reference {
    type Err = ParseError;

    /// Whatever has a colon is meant as a digest: no tag has one.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.contains(':') { text.parse().map(Self::Digest) } else { text.parse().map(Self::Tag) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A client's word as an error may repeat it: quoted, and not longer than a line.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut quoted: String = text.chars().take(SHOWN).flat_map(char::escape_default).collect();
    if text.chars().nth(SHOWN).is_some() {
        quoted.push('…');
    }
    format!("'{quoted}'")
}

macro_rules! text_type {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_type!(RepositoryName);
text_type!(Tag);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_grammar_are_taken() {
        let longest = "a".repeat(RepositoryName::MAX_LEN);
        for name in ["a", "a/b", "0", "a.b", "a_b", "a__b", "a-b", "a---b", "a/manifests/b", &longest] {
            assert_eq!(name.parse::<RepositoryName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        let too_long = "a".repeat(RepositoryName::MAX_LEN + 1);
        let names = [
            "", "/", "a/", "/a", "a//b", "A", ".a", "a.", "a..b", "a___b", "a._b", "a-_b", "-a", "a-", "..",
            "a/../b", "a b", "ä", "a%2fb", "a\0", &too_long,
        ];
        for name in names {
            assert!(name.parse::<RepositoryName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn tags_follow_the_grammar() {
        let longest = "a".repeat(Tag::MAX_LEN);
        for tag in ["latest", "_", "V1.0-rc_1", "0", &longest] {
            assert_eq!(tag.parse::<Tag>().unwrap().as_str(), tag);
        }
        let too_long = "a".repeat(Tag::MAX_LEN + 1);
        for tag in ["", ".a", "-a", "a/b", "a:b", "ä", "a b", &too_long] {
            assert!(tag.parse::<Tag>().is_err(), "{tag:?}");
        }
    }

    #[test]
    fn a_reference_with_a_colon_is_a_digest() {
        assert!(matches!("latest".parse(), Ok(Reference::Tag(_))));
        assert!(matches!("sha256:00".parse::<Reference>(), Err(ParseError::Digest(_))));
    }
}
