//! ARNs with wildcards: six parts between colons, each matched by itself.

use super::DocumentError;
use super::json::At;
use super::pattern::{Pattern, Variables, Wildcards};
use super::request::Request;

/// An ARN with wildcards. Parts that are missing stand for anything (IAM's *Resource*, *Incomplete
/// ARNs*); a wildcard never reaches past a colon of the first five.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ArnPattern {
    /// partition, service, region, account
    pub(super) owner: [Pattern; 4],
    /// What stands after the account.
    pub(super) resource: Pattern,
}

impl ArnPattern {
    /// Reads an ARN, or `*` for any.
    pub(super) fn read(at: At<'_>, variables: Variables) -> Result<Self, DocumentError> {
        const EXPECTED: &str = "* or an ARN such as arn:aws:ecr:us-east-1:000000000000:repository/team-a/*";
        let text = at.text(EXPECTED)?;
        let in_owner = || text.splitn(6, ':').take(5).any(|part| part.contains("${"));
        if variables == Variables::Meant && text.starts_with("arn:") && in_owner() {
            return Err(at.refuse("variables only after an ARN's account"));
        }
        let parts = match text {
            "*" => "",
            _ => text.strip_prefix("arn:").ok_or_else(|| at.refuse(EXPECTED))?,
        };
        let mut parts = parts.splitn(5, ':');
        let mut part = |variables| {
            let text = parts.next().filter(|part| !part.is_empty() || text != "*").unwrap_or("*");
            Pattern::parse(text, Wildcards::Meant, variables).map_err(|expected| at.refuse(expected))
        };
        let owner = [Variables::Literal; 4].map(&mut part);
        let resource = part(variables)?;
        let [partition, service, region, account] = owner;
        let owner = [partition?, service?, region?, account?];
        Ok(Self { owner, resource })
    }

    /// Whether it speaks of the ARN `text`.
    pub(super) fn matches(&self, text: &str, request: &Request<'_>) -> bool {
        let Some(parts) = text.strip_prefix("arn:") else { return false };
        let mut parts = parts.splitn(5, ':');
        self.owner
            .iter()
            .chain([&self.resource])
            .all(|pattern| parts.next().is_some_and(|part| pattern.matches(part, request)))
    }
}
