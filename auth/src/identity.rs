//! Who asks: identities, their ids and names.

use std::str::FromStr;
use std::sync::Arc;

use crate::error::shortened;
use crate::text::text_type;
use crate::{Attached, Fault, ParseError, random};

/// An identity's id: never reused, never shown to be typed, and kept when the name changes.
///
/// 1 to 128 of `a-z A-Z 0-9 _ -`; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdentityId(Arc<str>);

impl IdentityId {
    /// The longest id, in characters.
    pub const MAX_LEN: usize = 128;

    /// A new id of 130 random bits.
    pub fn generate() -> Result<Self, Fault> {
        Ok(Self(random::word::<26>()?.into()))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdentityId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let valid = (1..=Self::MAX_LEN).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if valid { Ok(Self(text.into())) } else { Err(ParseError::IdentityId(shortened(text))) }
    }
}

text_type!(IdentityId);

/// A user's name, safe in any shell: `[a-z0-9]([a-z0-9._-]*[a-z0-9])?`, at most 64 characters, and not
/// `anonymous`; cheap to clone.
///
/// There are no upper-case letters in it, so that ids of access keys can never be taken for one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName(Arc<str>);

impl UserName {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 64;

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            ANONYMOUS => Err(ParseError::AnonymousUser),
            name if is_name(name) => Ok(Self(name.into())),
            other => Err(ParseError::UserName(shortened(other))),
        }
    }
}

fn is_name(text: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.len() <= UserName::MAX_LEN
        && bytes.first().is_some_and(alphanumeric)
        && bytes.last().is_some_and(alphanumeric)
        && bytes.iter().all(|b| alphanumeric(b) || b"._-".contains(b))
}

text_type!(UserName);

/// Whoever has not logged in, where a user's name could stand.
const ANONYMOUS: &str = "anonymous";

/// Someone whose rights can be asked for: a user, or `anonymous`, whoever has not logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Whoever has not logged in.
    Anonymous,
    /// The user of this name.
    User(UserName),
}

impl FromStr for Subject {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == ANONYMOUS { Ok(Self::Anonymous) } else { text.parse().map(Self::User) }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Anonymous => f.write_str(ANONYMOUS),
            Self::User(name) => name.fmt(f),
        }
    }
}

/// A group's name; the grammar is that of a [`UserName`], and `anonymous` is one, too. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupName(Arc<str>);

impl GroupName {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if is_name(text) { Ok(Self(text.into())) } else { Err(ParseError::GroupName(shortened(text))) }
    }
}

text_type!(GroupName);

/// A user, with what decides about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// What everything else refers to it by.
    pub id: IdentityId,
    /// What people call it.
    pub name: UserName,
    /// The policies it has, its own and its groups'.
    pub attachments: Vec<Attached>,
    /// Whether it may do nothing at present.
    pub disabled: bool,
    /// When its password last changed, or it was disabled or enabled, in microseconds since the
    /// epoch: tokens of before are void, see [`Verified::is_current`](crate::Verified::is_current).
    pub credentials_changed_at: i64,
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Caller {
    /// Nobody known: no credential was given.
    Anonymous,
    /// Someone who proved who they are.
    Identity(Arc<Identity>),
}

impl Caller {
    /// The identity's id, for records; none for anonymous callers.
    pub fn id(&self) -> Option<&IdentityId> {
        match self {
            Self::Anonymous => None,
            Self::Identity(identity) => Some(&identity.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_grammar_are_taken() {
        let longest = "a".repeat(UserName::MAX_LEN);
        for name in ["a", "0", "alice", "ci-1", "a.b_c-d", "a--b", &longest] {
            assert_eq!(name.parse::<UserName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        assert_eq!("anonymous".parse::<UserName>(), Err(ParseError::AnonymousUser));
        let too_long = "a".repeat(UserName::MAX_LEN + 1);
        for name in ["", "A", "-a", "a-", ".a", "a.", "_", "a b", "a:b", "a/b", "a$b", "ä", "a\n", &too_long]
        {
            assert!(name.parse::<UserName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_subject_is_a_user_or_anonymous() {
        for (text, subject) in
            [("anonymous", Subject::Anonymous), ("alice", Subject::User("alice".parse().unwrap()))]
        {
            assert_eq!(text.parse(), Ok(subject.clone()));
            assert_eq!(subject.to_string(), text);
        }
        assert!("Alice".parse::<Subject>().is_err());
    }

    #[test]
    fn a_refused_name_is_named_in_the_sentence() {
        let sentence = "Alice".parse::<UserName>().unwrap_err().to_string();
        assert!(sentence.starts_with("invalid user name 'Alice'; a name has 1 to 64"), "{sentence}");
    }

    #[test]
    fn generated_ids_follow_their_own_grammar_and_differ() {
        let (a, b) = (IdentityId::generate().unwrap(), IdentityId::generate().unwrap());
        assert_eq!(a.as_str().parse(), Ok(a.clone()));
        assert_ne!(a, b);
    }

    #[test]
    fn ids_outside_the_grammar_are_refused() {
        for id in ["", "a b", "a/b", "ä", &"a".repeat(IdentityId::MAX_LEN + 1)] {
            assert!(id.parse::<IdentityId>().is_err(), "{id:?}");
        }
    }
}
