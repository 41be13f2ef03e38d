//! The elements `Action` and `NotAction`: patterns, turned into a set once.

use super::DocumentError;
use super::json::At;
use super::pattern::{Pattern, Variables, Wildcards};
use crate::Action;

/// A set of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ActionSet(u32);

/// Whether a document may speak of other services than ECR, and of the server's administration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Services {
    Any,
    EcrOnly,
}

/// ECR's operations (service model 2015-09-21) that Berth has no action for yet.
const OTHER_OPERATIONS: &[&str] = &[
    "BatchGetRepositoryScanningConfiguration",
    "BatchImportUpstreamImage",
    "CreatePullThroughCacheRule",
    "CreateRepositoryCreationTemplate",
    "DeleteLifecyclePolicy",
    "DeletePullThroughCacheRule",
    "DeleteRegistryPolicy",
    "DeleteRepositoryCreationTemplate",
    "DeleteRepositoryPolicy",
    "DeleteSigningConfiguration",
    "DeregisterPullTimeUpdateExclusion",
    "DescribeImageReplicationStatus",
    "DescribeImageScanFindings",
    "DescribeImageSigningStatus",
    "DescribeImages",
    "DescribePullThroughCacheRules",
    "DescribeRegistry",
    "DescribeRepositoryCreationTemplates",
    "GetAccountSetting",
    "GetLifecyclePolicy",
    "GetLifecyclePolicyPreview",
    "GetRegistryPolicy",
    "GetRegistryScanningConfiguration",
    "GetRepositoryPolicy",
    "GetSigningConfiguration",
    "ListPullTimeUpdateExclusions",
    "ListTagsForResource",
    "PutAccountSetting",
    "PutImageScanningConfiguration",
    "PutImageTagMutability",
    "PutLifecyclePolicy",
    "PutRegistryPolicy",
    "PutRegistryScanningConfiguration",
    "PutReplicationConfiguration",
    "PutSigningConfiguration",
    "RegisterPullTimeUpdateExclusion",
    "ReplicateImage",
    "SetRepositoryPolicy",
    "StartImageScan",
    "StartLifecyclePolicyPreview",
    "TagResource",
    "UntagResource",
    "UpdateImageStorageClass",
    "UpdatePullThroughCacheRule",
    "UpdateRepositoryCreationTemplate",
    "ValidatePullThroughCacheRule",
];

impl ActionSet {
    const fn of(action: Action) -> Self {
        Self(1 << action as u32)
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Every action that is not in the set.
    pub(super) const fn others(self) -> Self {
        Self(!self.0)
    }

    pub(super) const fn contains(self, action: Action) -> bool {
        self.0 & Self::of(action).0 != 0
    }

    /// Reads patterns such as `ecr:PutImage`, `ecr:Get*` or `*`.
    pub(super) fn read(at: At<'_>, services: Services) -> Result<Self, DocumentError> {
        let sets = at.each(|at| one(at, services))?;
        Ok(sets.iter().fold(Self::default(), |all, set| all.with(*set)))
    }
}

fn one(at: At<'_>, services: Services) -> Result<ActionSet, DocumentError> {
    const EXPECTED: &str = "an action such as ecr:PutImage, ecr:Get* or *";
    let written = at.text(EXPECTED)?;
    if written == "*" {
        return Ok(ActionSet::default().others());
    }
    let text = written.to_ascii_lowercase();
    let (service, name) = text.split_once(':').ok_or_else(|| at.refuse(EXPECTED))?;
    let of_a_name = |b: u8| b.is_ascii_alphanumeric() || b == b'*' || b == b'?';
    let well_formed = !service.is_empty()
        && service.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.is_empty()
        && name.bytes().all(of_a_name);
    if !well_formed {
        return Err(at.refuse(EXPECTED));
    }
    match (service, services) {
        ("ecr", _) | ("berth", Services::Any) => {}
        // Documents that also speak of other services may be brought along; here they say nothing.
        (_, Services::Any) => return Ok(ActionSet::default()),
        (_, Services::EcrOnly) => return Err(at.refuse("actions of ecr")),
    }
    let pattern = Pattern::parse(&text, Wildcards::Meant, Variables::Literal)
        .map_err(|expected| at.refuse(expected))?;
    let named = |name: &str| pattern.always_matches(&name.to_ascii_lowercase());
    let set = Action::ALL.into_iter().filter(|action| named(action.as_str())).map(ActionSet::of);
    let set = set.fold(ActionSet::default(), ActionSet::with);
    let known = set != ActionSet::default()
        || OTHER_OPERATIONS.iter().any(|operation| named(&format!("ecr:{operation}")));
    if known { Ok(set) } else { Err(at.refuse("an action that there is, as ECR names it")) }
}
