//! What a request shows of who it is from.

use berth_auth::{Caller, Credentials};
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::asker::Asker;
use super::challenge::{Refusal, challenge};
use crate::circumstances::Circumstances;
use crate::error::Error;
use crate::state::App;

/// What a request shows of who it is from.
pub(super) enum Shown {
    Nothing,
    Wrong(Refusal),
    Believed(Asker),
}

impl Shown {
    /// Who asks; whoever showed nothing or something wrong is challenged for `scope`.
    pub(super) fn believed(
        self,
        parts: &Parts,
        app: &App,
        scope: impl FnOnce() -> Option<String>,
    ) -> Result<Asker, Error> {
        match self {
            Self::Believed(asker) => Ok(asker),
            Self::Nothing => Err(challenge(parts, app, scope(), Refusal::NoCredential)),
            Self::Wrong(refusal) => Err(challenge(parts, app, scope(), refusal)),
        }
    }
}

/// Reads and checks the `Authorization` header.
pub(super) async fn credentials(parts: &Parts, app: &App) -> Result<Shown, Error> {
    let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(Shown::Nothing) };
    let circumstances = Circumstances::of(parts, app);
    let address = circumstances.address();
    let believed = |caller, token, key| Shown::Believed(Asker { caller, token, key, circumstances });
    let parsed = header.to_str().ok().and_then(|header| Credentials::parse(header).ok());
    match parsed {
        None => Ok(Shown::Wrong(Refusal::InvalidToken)),
        Some(Credentials::Basic { user, password }) => {
            let login = app.directory.login(&user, password, address).await?;
            Ok(login.map_or(Shown::Wrong(Refusal::WrongLogin), |login| {
                believed(Caller::Identity(login.identity), None, login.key)
            }))
        }
        Some(Credentials::Bearer(token)) => {
            let bearer = app.directory.bearer(token).await?;
            Ok(bearer.map_or(Shown::Wrong(Refusal::InvalidToken), |bearer| {
                let caller = bearer.identity.map_or(Caller::Anonymous, Caller::Identity);
                believed(caller, Some(bearer.verified), None)
            }))
        }
    }
}
