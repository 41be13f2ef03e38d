//! Users and what they may do.

use axum::Json;
use axum::extract::{Path, State};
use berth_auth::{Password, UserName};
use http::StatusCode;
use secrecy::SecretString;
use serde::Deserialize;

use super::attachments::attachment;
use super::problem::Problem;
use super::request::{Body, Manager, read};
use crate::directory::{AttachedPolicy, NewUser, User};
use crate::state::App;

/// A user that is to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    name: String,
    password: SecretString,
    /// What it may do from the start.
    #[serde(default)]
    policies: Vec<AttachedPolicy>,
    /// The groups it is in from the start.
    #[serde(default)]
    groups: Vec<String>,
}

/// A new password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The password from now on.
    pub password: SecretString,
}

pub(crate) async fn list(_: Manager, State(app): State<App>) -> Result<Json<Vec<User>>, Problem> {
    Ok(Json(app.directory.users().await?))
}

pub(crate) async fn show(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<User>, Problem> {
    Ok(Json(app.directory.user(&name.parse::<UserName>()?).await?))
}

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

pub(crate) async fn remove(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_user(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn disable(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.disable_user(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn enable(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.enable_user(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
