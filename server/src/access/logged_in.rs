//! Whoever has said who they are, whatever they may do.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use berth_auth::{AccessKeyId, Action, Caller, Identity};
use http::request::Parts;

use super::asker::Asker;
use super::challenge::{Refusal, challenge};
use super::credentials::credentials;
use crate::error::Error;
use crate::state::App;

/// Someone who has said who they are, and no more.
pub(crate) struct Known;

/// Someone who logged in, and not with a token: no token is good for what only this asks for.
pub(crate) struct LoggedIn {
    pub(crate) identity: Arc<Identity>,
    asker: Asker,
}

impl LoggedIn {
    /// The access key they logged in with, if it was no password.
    pub(crate) const fn key(&self) -> Option<&AccessKeyId> {
        self.asker.key.as_ref()
    }

    /// Whether they may do `action` to the registry as a whole.
    pub(crate) fn may(&self, action: Action) -> bool {
        self.asker.decide(action, None).allowed
    }
}

impl FromRequestParts<App> for Known {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let asker = credentials(parts, app).await?.believed(parts, app, || None)?;
        identity(parts, app, &asker).map(|_| Self)
    }
}

impl FromRequestParts<App> for LoggedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let asker = credentials(parts, app).await?.believed(parts, app, || None)?;
        if asker.token.is_some() {
            return Err(challenge(parts, app, None, Refusal::InsufficientScope));
        }
        let identity = identity(parts, app, &asker)?;
        Ok(Self { identity, asker })
    }
}

fn identity(parts: &Parts, app: &App, asker: &Asker) -> Result<Arc<Identity>, Error> {
    match &asker.caller {
        Caller::Identity(identity) => Ok(Arc::clone(identity)),
        Caller::Anonymous => Err(challenge(parts, app, None, Refusal::NoCredential)),
    }
}
