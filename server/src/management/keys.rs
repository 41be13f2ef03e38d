//! Access keys: everyone's own, and an administrator's anyone's.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use berth_auth::{AccessKeyName, Action, UserName};
use http::StatusCode;
use http::request::Parts;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

use super::problem::Problem;
use super::request::{Body, read};
use crate::access::{Asker, LoggedIn};
use crate::directory::{AccessKey, ListPage, PageRequest};
use crate::error::Error;
use crate::state::App;

/// Whose keys somebody may manage.
pub(crate) struct KeyManager {
    /// Who asks.
    own: UserName,
    /// None: anyone's.
    only: Option<UserName>,
    asker: Asker,
}

impl FromRequestParts<App> for KeyManager {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let login = LoggedIn::from_request_parts(parts, app).await?;
        let own = login.identity.name.clone();
        let only = (!login.may(Action::ManageUsers)).then(|| own.clone());
        Ok(Self { own, only, asker: login.asker })
    }
}

/// An access key that is to be made.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccessKey {
    /// Whose it will be; left out: the asker's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub user: Option<UserName>,
    /// What people will call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub name: Option<AccessKeyName>,
    /// For how many seconds it will be good; left out: until it is removed, or the key ends that it is
    /// made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

/// An access key with its secret, which is shown only in this answer.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeAccessKey)]
pub(crate) struct Made {
    #[serde(flatten)]
    key: AccessKey,
    /// The password to log in with; the user name is the id.
    secret: String,
}

/// All access keys, or the asker's own if they manage no users; in order of their users' names.
#[utoipa::path(
    get, path = "/keys", operation_id = "list_keys", tag = "access keys",
    params(PageRequest),
    responses((status = 200, body = ListPage<AccessKey>, description = "One page of them, without their secrets")),
)]
pub(crate) async fn list(
    manager: KeyManager,
    State(app): State<App>,
    page: PageRequest,
) -> Result<Json<ListPage<AccessKey>>, Problem> {
    Ok(Json(app.directory.access_keys(manager.only.as_ref(), &page).await?))
}

/// Makes an access key, whose secret is shown only in this answer.
#[utoipa::path(
    post, path = "/keys", operation_id = "add_key", tag = "access keys",
    request_body = NewAccessKey,
    responses(
        (status = 201, body = Made, description = "The key with its secret"),
        (status = 404, description = "There is no such user"),
    ),
)]
pub(crate) async fn add(
    manager: KeyManager,
    State(app): State<App>,
    body: Body<NewAccessKey>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let new = read(body)?;
    let user = manager.whose(&app, new.user)?;
    let (ttl, actor) = (new.expires_in.map(Duration::from_secs), manager.asker.actor());
    let made = app.directory.add_access_key(&user, new.name, ttl, &actor).await?;
    let made = Made { key: made.key, secret: made.secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Removes an access key, with every token that was asked for with it.
#[utoipa::path(
    delete, path = "/keys/{id}", operation_id = "remove_key", tag = "access keys",
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "There is no such key, or it is not one of the asker's"),
    ),
)]
pub(crate) async fn remove(
    manager: KeyManager,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_access_key(&id.parse()?, manager.only.as_ref(), &manager.asker.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl KeyManager {
    /// Whose key is to be made.
    fn whose(&self, app: &App, wanted: Option<UserName>) -> Result<UserName, Error> {
        let user = wanted.unwrap_or_else(|| self.own.clone());
        if self.only.as_ref().is_some_and(|only| *only != user) {
            let own = &self.own;
            let why = format!("{own} may not make a key for {user}");
            self.asker.was_refused(app, Action::ManageUsers, None, why);
            let sentence = format!(
                "no policy attached to {own} allows berth:ManageUsers, so {own} makes keys only for \
                 {own}; ask an administrator"
            );
            return Err(Error::Denied(sentence));
        }
        Ok(user)
    }
}
