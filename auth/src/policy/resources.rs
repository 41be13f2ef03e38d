//! The elements `Resource` and `NotResource` of identity policies.

use super::DocumentError;
use super::arn::ArnPattern;
use super::json::At;
use super::pattern::{Pattern, Variables};
use super::request::{Account, Request};

/// What the name of a repository's resource begins with.
const REPOSITORY: &str = "repository/";
/// The resource of what is done to the registry as a whole.
const REGISTRY: &str = "registry";

/// What of this registry an ARN speaks of: its owner's parts are compared once, here.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resource {
    /// The registry and all its repositories.
    Everything,
    /// Somebody else's.
    Nothing,
    /// Repositories, by name.
    Repositories(Pattern),
    /// Whatever `repository/<name>` or `registry` it matches.
    Whole(Pattern),
}

impl Resource {
    /// Reads an ARN, or `*` for any.
    pub(super) fn read(at: At<'_>, account: &Account, variables: Variables) -> Result<Self, DocumentError> {
        let ArnPattern { owner, resource } = ArnPattern::read(at, variables)?;
        let own = ["aws", "ecr", &account.region, &account.id];
        let is_own = owner.iter().zip(own).all(|(pattern, part)| pattern.always_matches(part));
        if !is_own {
            return Ok(Self::Nothing);
        }
        let beginning = resource.literal_beginning();
        let possible = [REPOSITORY, REGISTRY]
            .iter()
            .any(|kind| kind.starts_with(beginning) || beginning.starts_with(kind));
        if !possible {
            return Err(at.refuse("repository/<name> or registry after the ARN's account"));
        }
        Ok(match resource {
            Pattern::Prefix(prefix) if prefix.is_empty() => Self::Everything,
            resource => match resource.without_beginning(REPOSITORY) {
                Some(name) => Self::Repositories(name),
                None => Self::Whole(resource),
            },
        })
    }

    fn matches(&self, request: &Request<'_>) -> bool {
        match (self, request.repository) {
            (Self::Everything, _) => true,
            (Self::Nothing, _) | (Self::Repositories(_), None) => false,
            (Self::Repositories(pattern), Some(name)) => pattern.matches(name.as_str(), request),
            (Self::Whole(pattern), None) => pattern.matches(REGISTRY, request),
            (Self::Whole(pattern), Some(name)) => pattern.matches(&format!("{REPOSITORY}{name}"), request),
        }
    }
}

/// What a statement is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resources {
    /// `Resource`
    These(Box<[Resource]>),
    /// `NotResource`
    AllBut(Box<[Resource]>),
}

impl Resources {
    pub(super) fn match_request(&self, request: &Request<'_>) -> bool {
        match self {
            Self::These(these) => these.iter().any(|resource| resource.matches(request)),
            Self::AllBut(those) => !those.iter().any(|resource| resource.matches(request)),
        }
    }
}
