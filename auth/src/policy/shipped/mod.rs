//! The policies that come with Berth: documents like others, limited to a prefix where they are
//! attached.

use std::str::FromStr;

use super::document::{DocumentError, IdentityPolicy};
use super::prefix::RepositoryPrefix;
use super::request::Account;
use crate::ParseError;
use crate::error::shortened;
use crate::text::text_type;

/// A policy that comes with Berth.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ShippedPolicy {
    /// Pulls, and sees what is there.
    Reader,
    /// What a reader does, and pushes.
    Developer,
    /// Everything; on every repository, it also administers the server.
    Admin,
}

/// The policy of a repository from which everyone may pull, also without a login.
pub const PUBLIC_PULL: &str = include_str!("public.json");

/// What stands in the documents where the prefix goes.
const REPOSITORIES: &str = "\"<repositories>\"";

impl ShippedPolicy {
    /// Every shipped policy, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Developer, Self::Admin];

    /// The name under which it is attached.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Developer => "developer",
            Self::Admin => "admin",
        }
    }

    const fn template(self) -> &'static str {
        match self {
            Self::Reader => include_str!("reader.json"),
            Self::Developer => include_str!("developer.json"),
            Self::Admin => include_str!("admin.json"),
        }
    }

    /// The document, limited to `prefix`.
    pub fn text(self, prefix: &RepositoryPrefix) -> String {
        // Prefixes follow a grammar that has no character to be escaped.
        let resources: Vec<String> = prefix.resources().iter().map(|arn| format!("\"{arn}\"")).collect();
        let resources = match resources.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        self.template().replace(REPOSITORIES, &resources)
    }

    /// The document, limited to `prefix`, ready to be evaluated.
    ///
    /// # Errors
    /// Never for a prefix that was parsed; the documents are tested.
    pub fn document(
        self,
        prefix: &RepositoryPrefix,
        account: &Account,
    ) -> Result<IdentityPolicy, DocumentError> {
        IdentityPolicy::parse(&self.text(prefix), account)
    }
}

impl FromStr for ShippedPolicy {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let found = Self::ALL.into_iter().find(|policy| policy.as_str() == text);
        found.ok_or_else(|| ParseError::Policy(shortened(text)))
    }
}

text_type!(ShippedPolicy);
