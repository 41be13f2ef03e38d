//! The one function that decides.

use std::fmt;

use berth_oci::RepositoryName;

use super::attachment::Attached;
use super::document::{RepositoryPolicy, StatementName};
use super::evaluate::{Verdict, evaluate};
use super::request::{Context, Request};
use crate::{Action, Caller, Resource, Scope, UserName, Words};

/// The repository that something is done to, as far as that decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target<'a> {
    /// Its name, whether it is there or not.
    pub name: &'a RepositoryName,
    /// Its own policy, if it has one.
    pub policy: Option<&'a RepositoryPolicy>,
}

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
    /// This statement of this repository's own policy allows or denies it.
    OfRepository(&'a RepositoryName, &'a StatementName),
    /// Nobody said who they are, and no repository's policy allows it to everyone.
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
            Self::OfRepository(repository, _) => write!(f, "the policy of the repository {repository}"),
            Self::Anonymous => write!(f, "without a login only a repository's own policy allows anything"),
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

/// A document among those that are asked.
#[derive(Clone, Copy)]
enum Document<'a> {
    Attached(&'a Attached, &'a UserName),
    OfRepository(&'a RepositoryName),
}

impl<'a> Document<'a> {
    const fn reason(self, statement: &'a StatementName) -> Reason<'a> {
        match self {
            Self::Attached(attached, name) => Reason::Statement(attached, statement, name),
            Self::OfRepository(repository) => Reason::OfRepository(repository, statement),
        }
    }
}

/// Decides whether `caller` may do `action` to `target`, or to the registry as a whole, under the
/// circumstances of `context`: any Deny of what is attached to the caller or of the repository's own
/// policy, else any Allow of either, else no.
///
/// This is the only place where anything is allowed.
pub fn decide<'a>(
    caller: &'a Caller,
    action: Action,
    target: Option<Target<'a>>,
    context: &Context<'_>,
) -> Decision<'a> {
    let denied = |reason| Decision { allowed: false, reason };
    let identity = match caller {
        Caller::Anonymous => None,
        Caller::Identity(identity) if identity.disabled => return denied(Reason::Disabled(&identity.name)),
        Caller::Identity(identity) => Some(&**identity),
    };
    let repository = target.map(|target| target.name);
    let nothing_allows = denied(identity.map_or(Reason::Anonymous, |identity| Reason::NothingAllows {
        name: &identity.name,
        action,
        repository,
    }));
    if !makes_sense(action, repository) {
        return nothing_allows;
    }
    let request = Request { identity, action, repository, context: *context };
    let of_identity = identity.into_iter().flat_map(|identity| {
        let named =
            |attached: &'a Attached| (Document::Attached(attached, &identity.name), &*attached.document);
        identity.attachments.iter().map(named)
    });
    let of_repository = target.and_then(|target| Some((Document::OfRepository(target.name), target.policy?)));
    match evaluate(of_identity, of_repository, &request) {
        Verdict::Allowed(document, statement) => {
            Decision { allowed: true, reason: document.reason(statement) }
        }
        Verdict::Denied(document, statement) => denied(document.reason(statement)),
        Verdict::Silent => nothing_allows,
    }
}

/// What of `requested` a token for `caller` may say: a word is granted when any action behind it is
/// allowed, as each request is decided exactly anyway. What has no word left is left out. `policy_of`
/// gives a repository's own policy.
pub fn granted_scopes<'p>(
    caller: &Caller,
    requested: &[Scope],
    policy_of: impl Fn(&RepositoryName) -> Option<&'p RepositoryPolicy>,
    context: &Context<'_>,
) -> Vec<Scope> {
    let granted = |scope: &Scope| {
        let words: Words = match &scope.resource {
            Resource::Catalog if decide(caller, Action::DescribeRepositories, None, context).allowed => {
                scope.words
            }
            Resource::Catalog => Words::NONE,
            Resource::Repository(name) => {
                let target = Target { name, policy: policy_of(name) };
                let allowed = |action: &Action| decide(caller, *action, Some(target), context).allowed;
                scope.words.iter().filter(|word| word.actions().iter().any(allowed)).collect()
            }
        };
        (!words.is_empty()).then(|| Scope { resource: scope.resource.clone(), words })
    };
    requested.iter().filter_map(granted).collect()
}
