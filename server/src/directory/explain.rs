//! Why something is allowed or denied, for people.

use berth_auth::{Action, Caller, Context, Reason, Subject, Target, decide};
use berth_oci::RepositoryName;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

use super::Directory;
use super::identities::identity_of;
use crate::error::Error;

/// A decision, and what decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// Whether it would be done.
    pub allowed: bool,
    /// The policy whose statement decided; none: the repository's own, or no statement speaks of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The statement's `Sid`, or its place in the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The group through which the user has the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// All that in a sentence.
    pub sentence: String,
}

impl Directory {
    /// What would come of `subject` doing `action` to `repository`, or to the registry as a whole.
    ///
    /// # Errors
    /// When there is no such user; whoever has not logged in is always there.
    pub async fn explain(
        &self,
        subject: &Subject,
        action: Action,
        repository: Option<&RepositoryName>,
        context: &Context<'_>,
    ) -> Result<Explanation, Error> {
        let caller = match subject {
            Subject::Anonymous => Caller::Anonymous,
            Subject::User(name) => {
                Caller::Identity(Arc::new(identity_of(&self.record(name).await?, &self.account)?))
            }
        };
        let own = match repository {
            Some(name) => self.repository_policy(name).await?,
            None => None,
        };
        let target = repository.map(|name| Target { name, policy: own.as_deref() });
        let decision = decide(&caller, action, target, context);
        let (policy, statement, group, why) = match &decision.reason {
            Reason::Statement(attached, statement, _) => (
                Some(attached.attachment.policy.to_string()),
                Some(statement.to_string()),
                attached.through.as_ref().map(ToString::to_string),
                format!("{statement} of {}", decision.reason),
            ),
            Reason::OfRepository(_, statement) => {
                (None, Some(statement.to_string()), None, format!("{statement} of {}", decision.reason))
            }
            Reason::Anonymous | Reason::Disabled(_) | Reason::NothingAllows { .. } => {
                (None, None, None, decision.reason.to_string())
            }
        };
        let verdict = if decision.allowed { "allowed" } else { "denied" };
        let sentence = format!("{verdict}: {why}");
        Ok(Explanation { allowed: decision.allowed, policy, statement, group, sentence })
    }
}
