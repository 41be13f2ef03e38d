//! Users and what they may do.

use axum::Json;
use axum::extract::{Path, State};
use berth_auth::{Password, UserName};
use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::attachments::attachment;
use super::problem::Problem;
use super::request::{Body, Manager, read};
use crate::directory::{AttachedPolicy, ListPage, NewUser, PageRequest, User};
use crate::state::App;

/// A user that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
pub(crate) struct New {
    /// What people will call it.
    name: String,
    /// Its password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
    /// What it may do from the start.
    #[serde(default)]
    policies: Vec<AttachedPolicy>,
    /// The groups it is in from the start.
    #[serde(default)]
    groups: Vec<String>,
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password from now on.
    #[schema(value_type = String, format = Password)]
    pub password: SecretString,
}

/// The users, in order of name.
#[utoipa::path(
    get, path = "/users", operation_id = "list_users", tag = "users",
    params(PageRequest),
    responses((status = 200, body = ListPage<User>, description = "One page of them")),
)]
pub(crate) async fn list(
    _: Manager,
    State(app): State<App>,
    page: PageRequest,
) -> Result<Json<ListPage<User>>, Problem> {
    Ok(Json(app.directory.users(&page).await?))
}

/// One user.
#[utoipa::path(
    get, path = "/users/{name}", operation_id = "show_user", tag = "users",
    params(("name" = String, Path, description = "The user's name")),
    responses(
        (status = 200, body = User, description = "The user"),
        (status = 404, description = "There is no such user"),
    ),
)]
pub(crate) async fn show(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<User>, Problem> {
    Ok(Json(app.directory.user(&name.parse::<UserName>()?).await?))
}

/// Makes a user.
#[utoipa::path(
    post, path = "/users", operation_id = "add_user", tag = "users",
    request_body = New,
    responses(
        (status = 201, body = User, description = "The user that was made"),
        (status = 404, description = "There is no such policy or group"),
        (status = 409, description = "The name is taken"),
    ),
)]
pub(crate) async fn add(
    manager: Manager,
    State(app): State<App>,
    body: Body<New>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let new = read(body)?;
    let policies = new.policies.iter().map(attachment).collect::<Result<Vec<_>, _>>()?;
    let new = NewUser {
        name: new.name.parse()?,
        password: Password::new(new.password)?,
        policies,
        groups: new.groups.iter().map(|group| group.parse()).collect::<Result<_, _>>()?,
    };
    let user = app.directory.add_user(new, &manager.actor).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

/// Changes a password; every token issued before is worthless at once.
#[utoipa::path(
    put, path = "/users/{name}/password", operation_id = "set_password", tag = "users",
    params(("name" = String, Path, description = "The user's name")),
    request_body = ChangePassword,
    responses(
        (status = 204, description = "It is changed"),
        (status = 404, description = "There is no such user"),
    ),
)]
pub(crate) async fn set_password(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    body: Body<ChangePassword>,
) -> Result<StatusCode, Problem> {
    let password = Password::new(read(body)?.password)?;
    app.directory.set_password(&name.parse()?, password, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a user with their access keys.
#[utoipa::path(
    delete, path = "/users/{name}", operation_id = "remove_user", tag = "users",
    params(("name" = String, Path, description = "The user's name")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "There is no such user"),
    ),
)]
pub(crate) async fn remove(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_user(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a user do nothing for now; doing it again changes nothing.
#[utoipa::path(
    put, path = "/users/{name}/disabled", operation_id = "disable_user", tag = "users",
    params(("name" = String, Path, description = "The user's name")),
    responses(
        (status = 204, description = "It is disabled"),
        (status = 404, description = "There is no such user"),
    ),
)]
pub(crate) async fn disable(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.disable_user(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a user do again what their policies allow.
#[utoipa::path(
    delete, path = "/users/{name}/disabled", operation_id = "enable_user", tag = "users",
    params(("name" = String, Path, description = "The user's name")),
    responses(
        (status = 204, description = "It is enabled"),
        (status = 404, description = "There is no such user"),
    ),
)]
pub(crate) async fn enable(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.enable_user(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
