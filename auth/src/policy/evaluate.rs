//! IAM's *Policy evaluation logic* within one account: any Deny, else any Allow, else no.

use super::document::{Effect, IdentityPolicy, Opinion, RepositoryPolicy, StatementName};
use super::request::Request;

/// What documents say of a request, and which of them by which statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'d, T> {
    /// This statement of this document allows it, and none denies it.
    Allowed(T, &'d StatementName),
    /// This statement of this document denies it, whatever others say.
    Denied(T, &'d StatementName),
    /// No statement speaks of it, which is a no.
    Silent,
}

/// What the documents that are attached to an identity, and those of a repository, say of `request`.
/// Each comes with what the caller knows it by.
pub fn evaluate<'d, T>(
    identity: impl IntoIterator<Item = (T, &'d IdentityPolicy)>,
    repository: impl IntoIterator<Item = (T, &'d RepositoryPolicy)>,
    request: &Request<'_>,
) -> Verdict<'d, T> {
    let of_identity = identity.into_iter().map(|(tag, policy)| (tag, policy.opinion(request)));
    let of_repository = repository.into_iter().map(|(tag, policy)| (tag, policy.opinion(request)));
    combine(of_identity.chain(of_repository))
}

fn combine<'d, T>(opinions: impl Iterator<Item = (T, Opinion<'d>)>) -> Verdict<'d, T> {
    let mut verdict = Verdict::Silent;
    for (tag, opinion) in opinions {
        match (opinion, &verdict) {
            (Some((Effect::Deny, statement)), _) => return Verdict::Denied(tag, statement),
            (Some((Effect::Allow, statement)), Verdict::Silent) => {
                verdict = Verdict::Allowed(tag, statement);
            }
            (Some((Effect::Allow, _)) | None, _) => {}
        }
    }
    verdict
}
