//! Policies by name, and where they are attached.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::document::IdentityPolicy;
use super::prefix::RepositoryPrefix;
use super::shipped::ShippedPolicy;
use crate::error::shortened;
use crate::text::text_type;
use crate::{GroupName, ParseError};

/// A policy's name, safe in any shell: a letter or digit, then letters, digits, `.`, `_` and `-`; at
/// most 128 characters; cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyName(Arc<str>);

impl PolicyName {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 128;

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shipped policy of this name, if it is one's.
    pub fn shipped(&self) -> Option<ShippedPolicy> {
        self.as_str().parse().ok()
    }
}

impl FromStr for PolicyName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let valid = text.len() <= Self::MAX_LEN
            && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if valid { Ok(Self(text.into())) } else { Err(ParseError::PolicyName(shortened(text))) }
    }
}

text_type!(PolicyName);

impl From<ShippedPolicy> for PolicyName {
    fn from(policy: ShippedPolicy) -> Self {
        Self(policy.as_str().into())
    }
}

/// A policy given to someone; a shipped one may be limited to some repositories.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attachment {
    /// What may be done.
    pub policy: PolicyName,
    /// To which repositories; a document of one's own says that itself, and has all here.
    pub prefix: RepositoryPrefix,
}

impl Attachment {
    /// Takes a prefix for shipped policies only.
    ///
    /// # Errors
    /// When a document of one's own is given a prefix.
    pub fn new(policy: PolicyName, prefix: RepositoryPrefix) -> Result<Self, ParseError> {
        match policy.shipped() {
            None if !prefix.is_all() => Err(ParseError::PrefixOfDocument(policy)),
            Some(_) | None => Ok(Self { policy, prefix }),
        }
    }
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.prefix.as_str(), self.policy.shipped()) {
            ("", Some(policy)) => write!(f, "{policy} on every repository"),
            ("", None) => write!(f, "{}", self.policy),
            (prefix, _) => write!(f, "{} on {prefix}", self.policy),
        }
    }
}

/// A policy that an identity has, ready to be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Attached {
    /// What was attached.
    pub attachment: Attachment,
    /// To which group; none: to the identity itself.
    pub through: Option<GroupName>,
    /// What it says.
    pub document: Arc<IdentityPolicy>,
}
