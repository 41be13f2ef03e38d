//! Patterns that tags match, as ECR's tag mutability filters have them.

use std::fmt;
use std::str::FromStr;

use crate::{ParseError, Tag};

/// A pattern of a tag: 1 to 128 letters, digits, `.`, `_`, `-`, and at most two `*`, each of which
/// stands for any characters, also none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPattern(Box<str>);

impl TagPattern {
    /// Whether the whole tag matches.
    pub fn matches(&self, tag: &Tag) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = tag.as_str().strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

impl TagPattern {
    /// A pattern with at most so many stars.
    ///
    /// # Errors
    /// When there are more, or something that no tag has.
    pub fn parse(text: &str, most_stars: usize) -> Result<Self, ParseError> {
        let of_a_pattern = |b: u8| b.is_ascii_alphanumeric() || b"._-*".contains(&b);
        let valid = (1..=128).contains(&text.len())
            && text.bytes().all(of_a_pattern)
            && text.bytes().filter(|b| *b == b'*').count() <= most_stars;
        if valid { Ok(Self(text.into())) } else { Err(ParseError::TagPattern(format!("{text:.80?}"))) }
    }
}

/// With at most two stars.
impl FromStr for TagPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text, 2)
    }
}

impl fmt::Display for TagPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, tag, expected) in [
            ("latest", "latest", true),
            ("latest", "latest2", false),
            ("latest", "late", false),
            ("dev-*", "dev-1", true),
            ("dev-*", "dev-", true),
            ("dev-*", "a-dev-1", false),
            ("*-rc", "1-rc", true),
            ("*-rc", "1-rc2", false),
            ("*rc*", "1-rc2", true),
            ("a*a", "a", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "ac", false),
            ("*", "anything", true),
        ] {
            let pattern: TagPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&tag.parse().unwrap()), expected, "{pattern} {tag}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["", "a b", "***", "a/b", &"a".repeat(129)] {
            assert!(pattern.parse::<TagPattern>().is_err(), "{pattern:?}");
        }
    }
}
