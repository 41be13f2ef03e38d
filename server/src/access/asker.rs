//! Whoever asks, and what they may do.

use std::sync::Arc;

use berth_auth::{AccessKeyId, Action, Caller, Decision, Reason, Target, UserName, Verified, decide};
use berth_oci::RepositoryName;
use http::request::Parts;

use crate::circumstances::Circumstances;
use crate::error::Error;
use crate::state::App;

/// Who asks, and how they proved it.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) caller: Caller,
    /// What their token is limited to; none for a login with a password.
    pub(super) token: Option<Arc<Verified>>,
    /// The access key they logged in with in place of a password.
    pub(super) key: Option<AccessKeyId>,
    pub(super) circumstances: Circumstances,
}

impl Asker {
    /// Whoever has not said who they are.
    pub(super) fn anonymous(parts: &Parts, app: &App) -> Self {
        Self {
            caller: Caller::Anonymous,
            token: None,
            key: None,
            circumstances: Circumstances::of(parts, app),
        }
    }

    /// Whether they may do `action` with what they have shown.
    pub(crate) async fn may(
        &self,
        app: &App,
        action: Action,
        repository: &RepositoryName,
    ) -> Result<bool, Error> {
        Ok(self.shown_covers(action, Some(repository)) && self.identity_may(app, action, repository).await?)
    }

    /// Whether they may do `action`, whatever their token is limited to.
    pub(crate) async fn identity_may(
        &self,
        app: &App,
        action: Action,
        repository: &RepositoryName,
    ) -> Result<bool, Error> {
        let policy = app.directory.repository_policy(repository).await?;
        let target = Target { name: repository, policy: policy.as_deref() };
        Ok(self.decide(action, Some(target)).allowed)
    }

    /// Whether what they have shown is good for `action`, as far as it is limited at all.
    pub(super) fn shown_covers(&self, action: Action, repository: Option<&RepositoryName>) -> bool {
        self.token.as_ref().is_none_or(|token| token.covers(action, repository))
    }

    pub(super) fn decide<'a>(&'a self, action: Action, target: Option<Target<'a>>) -> Decision<'a> {
        decide(&self.caller, action, target, &self.circumstances.context())
    }

    /// What they are told of a refusal, which must not tell a repository that exists from one that
    /// does not.
    pub(super) fn told(
        &self,
        name: &UserName,
        reason: &Reason<'_>,
        action: Action,
        target: Option<Target<'_>>,
    ) -> String {
        let nothing = || format!("no policy attached to {name} allows");
        let speaks = match reason {
            Reason::Statement(..) => format!("a policy attached to {name} denies"),
            Reason::OfRepository(..) => {
                // Where there is no repository, there is no policy of it either.
                let absent = target.map(|target| Target { policy: None, ..target });
                if self.decide(action, absent).allowed {
                    "the repository's own policy denies".to_owned()
                } else {
                    nothing()
                }
            }
            Reason::Anonymous | Reason::Disabled(_) | Reason::NothingAllows { .. } => nothing(),
        };
        let to = target.map(|target| format!(" on {}", target.name)).unwrap_or_default();
        format!("{speaks} {action}{to}; ask an administrator")
    }
}
