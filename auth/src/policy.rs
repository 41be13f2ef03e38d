//! Policies, where they are attached, and the one function that decides.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use berth_oci::RepositoryName;

use crate::error::shortened;
use crate::text::text_type;
use crate::{Action, Caller, ParseError, Resource, Scope, UserName, Word, Words};

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

    /// Whether it speaks for `action`, on whatever its attachment covers.
    fn has(self, action: Action) -> bool {
        let carries = |word: Word| word.actions().contains(&action);
        let reads = carries(Word::Pull)
            || matches!(action, Action::DescribeRepositories | Action::GetAuthorizationToken);
        match self {
            Self::Reader => reads,
            Self::Developer => reads || carries(Word::Push),
            Self::Admin => true,
        }
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

/// The repositories that a policy is limited to, by whole path components; cheap to clone.
///
/// Empty covers all; `team-a/` covers `team-a/app`; `team-a` covers that and `team-a` itself.
/// Neither covers `team-ab/app`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryPrefix(Arc<str>);

impl RepositoryPrefix {
    /// The prefix of every repository.
    pub fn all() -> Self {
        Self("".into())
    }

    /// The prefix as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the prefix of every repository.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it covers `repository`.
    pub fn covers(&self, repository: &RepositoryName) -> bool {
        match repository.as_str().strip_prefix(&*self.0) {
            None => false,
            Some(rest) => self.is_all() || self.0.ends_with('/') || rest.is_empty() || rest.starts_with('/'),
        }
    }
}

impl FromStr for RepositoryPrefix {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let components = text.strip_suffix('/').unwrap_or(text);
        let valid = text.is_empty() || components.parse::<RepositoryName>().is_ok();
        if valid { Ok(Self(text.into())) } else { Err(ParseError::RepositoryPrefix(shortened(text))) }
    }
}

text_type!(RepositoryPrefix);

/// A policy given to an identity, limited to some repositories.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attachment {
    /// What may be done.
    pub policy: ShippedPolicy,
    /// To which repositories.
    pub prefix: RepositoryPrefix,
}

impl Attachment {
    /// Whether it allows `action` on `repository`; without one, on the registry as a whole.
    fn allows(&self, action: Action, repository: Option<&RepositoryName>) -> bool {
        let reaches = match repository {
            Some(repository) => !action.is_administrative() && self.prefix.covers(repository),
            None if action.is_administrative() => self.prefix.is_all(),
            // The list of repositories is open to all who may see any; each entry is decided anew.
            None => matches!(action, Action::DescribeRepositories | Action::GetAuthorizationToken),
        };
        reaches && self.policy.has(action)
    }
}

impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix.as_str() {
            "" => write!(f, "{} on every repository", self.policy),
            prefix => write!(f, "{} on {prefix}", self.policy),
        }
    }
}

/// Whether something may be done, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// What decided.
    pub reason: Reason,
}

/// What decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// This attachment of this user allows it.
    Attached(Attachment, UserName),
    /// Nobody said who they are.
    Anonymous,
    /// The user is disabled.
    Disabled(UserName),
    /// Nothing that is attached to the user allows it.
    NothingAllows {
        /// Whose attachments were looked through.
        name: UserName,
        /// What was to be done.
        action: Action,
        /// To what; none for the registry as a whole.
        repository: Option<RepositoryName>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attached(attachment, name) => write!(f, "{attachment} attached to {name}"),
            Self::Anonymous => write!(f, "without a login nothing is allowed"),
            Self::Disabled(name) => write!(f, "{name} is disabled"),
            Self::NothingAllows { name, action, repository: Some(repository) } => {
                write!(f, "no policy attached to {name} allows {action} on {repository}")
            }
            Self::NothingAllows { name, action, repository: None } => {
                write!(f, "no policy attached to {name} allows {action}")
            }
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.allowed { "allowed" } else { "denied" };
        write!(f, "{verdict}: {}", self.reason)
    }
}

/// Decides whether `caller` may do `action` to `repository`, or to the registry as a whole.
///
/// This is the only place where anything is allowed.
pub fn decide(caller: &Caller, action: Action, repository: Option<&RepositoryName>) -> Decision {
    let denied = |reason| Decision { allowed: false, reason };
    let identity = match caller {
        Caller::Anonymous => return denied(Reason::Anonymous),
        Caller::Identity(identity) => identity,
    };
    let name = identity.name.clone();
    if identity.disabled {
        return denied(Reason::Disabled(name));
    }
    match identity.attachments.iter().find(|attachment| attachment.allows(action, repository)) {
        Some(attachment) => Decision { allowed: true, reason: Reason::Attached(attachment.clone(), name) },
        None => denied(Reason::NothingAllows { name, action, repository: repository.cloned() }),
    }
}

/// What of `requested` a token for `caller` may say: a word is granted when any action behind it is
/// allowed, as each request is decided exactly anyway. What has no word left is left out.
pub fn granted_scopes(caller: &Caller, requested: &[Scope]) -> Vec<Scope> {
    let granted = |scope: &Scope| {
        let words: Words = match &scope.resource {
            Resource::Catalog if decide(caller, Action::DescribeRepositories, None).allowed => scope.words,
            Resource::Catalog => Words::NONE,
            Resource::Repository(name) => {
                let allowed = |action: &Action| decide(caller, *action, Some(name)).allowed;
                scope.words.iter().filter(|word| word.actions().iter().any(allowed)).collect()
            }
        };
        (!words.is_empty()).then(|| Scope { resource: scope.resource.clone(), words })
    };
    requested.iter().filter_map(granted).collect()
}

#[cfg(test)]
mod tests;
