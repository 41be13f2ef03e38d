//! The one function that decides.

use std::fmt;

use berth_oci::RepositoryName;

use super::attachment::Attached;
use super::document::StatementName;
use super::evaluate::{Verdict, evaluate};
use super::request::{Context, Request};
use crate::{Action, Caller, Resource, Scope, UserName, Words};

/// Whether something may be done, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision<'a> {
    /// Whether it may be done.
    pub allowed: bool,
    /// What decided.
    pub reason: Reason<'a>,
}

/// What decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason<'a> {
    /// This statement of what is attached to this user allows or denies it.
    Statement(&'a Attached, &'a StatementName, &'a UserName),
    /// Nobody said who they are.
    Anonymous,
    /// The user is disabled.
    Disabled(&'a UserName),
    /// Nothing that is attached to the user allows it.
    NothingAllows {
        /// Whose attachments were looked through.
        name: &'a UserName,
        /// What was to be done.
        action: Action,
        /// To what; none for the registry as a whole.
        repository: Option<&'a RepositoryName>,
    },
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement(Attached { attachment, through: None, .. }, _, name) => {
                write!(f, "{attachment} attached to {name}")
            }
            Self::Statement(Attached { attachment, through: Some(group), .. }, _, name) => {
                write!(f, "{attachment} attached to the group {group}, which {name} is in")
            }
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

impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.allowed { "allowed" } else { "denied" };
        write!(f, "{verdict}: {}", self.reason)
    }
}

/// Whether `action` is something that is done to a repository, or to the registry as a whole. No
/// document allows what makes no sense.
const fn makes_sense(action: Action, repository: Option<&RepositoryName>) -> bool {
    match repository {
        Some(_) => !action.is_administrative(),
        None => {
            action.is_administrative()
                // The list of repositories is asked for as a whole; each entry is decided anew.
                || matches!(action, Action::DescribeRepositories | Action::GetAuthorizationToken)
        }
    }
}

/// Decides whether `caller` may do `action` to `repository`, or to the registry as a whole, under
/// the circumstances of `context`.
///
/// This is the only place where anything is allowed.
pub fn decide<'a>(
    caller: &'a Caller,
    action: Action,
    repository: Option<&'a RepositoryName>,
    context: &Context<'_>,
) -> Decision<'a> {
    let denied = |reason| Decision { allowed: false, reason };
    let identity = match caller {
        Caller::Anonymous => return denied(Reason::Anonymous),
        Caller::Identity(identity) => identity,
    };
    let name = &identity.name;
    if identity.disabled {
        return denied(Reason::Disabled(name));
    }
    let nothing_allows = denied(Reason::NothingAllows { name, action, repository });
    if !makes_sense(action, repository) {
        return nothing_allows;
    }
    let request = Request { identity: Some(identity), action, repository, context: *context };
    let documents = identity.attachments.iter().map(|attached| (attached, &*attached.document));
    match evaluate(documents, std::iter::empty(), &request) {
        Verdict::Allowed(attached, statement) => {
            Decision { allowed: true, reason: Reason::Statement(attached, statement, name) }
        }
        Verdict::Denied(attached, statement) => denied(Reason::Statement(attached, statement, name)),
        Verdict::Silent => nothing_allows,
    }
}

/// What of `requested` a token for `caller` may say: a word is granted when any action behind it is
/// allowed, as each request is decided exactly anyway. What has no word left is left out.
pub fn granted_scopes(caller: &Caller, requested: &[Scope], context: &Context<'_>) -> Vec<Scope> {
    let granted = |scope: &Scope| {
        let words: Words = match &scope.resource {
            Resource::Catalog if decide(caller, Action::DescribeRepositories, None, context).allowed => {
                scope.words
            }
            Resource::Catalog => Words::NONE,
            Resource::Repository(name) => {
                let allowed = |action: &Action| decide(caller, *action, Some(name), context).allowed;
                scope.words.iter().filter(|word| word.actions().iter().any(allowed)).collect()
            }
        };
        (!words.is_empty()).then(|| Scope { resource: scope.resource.clone(), words })
    };
    requested.iter().filter_map(granted).collect()
}
