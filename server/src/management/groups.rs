//! Groups of users.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;

use super::problem::Problem;
use super::request::{Body, Manager, read};
use crate::directory::Group;
use crate::state::App;

/// A group that is to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewGroup {
    name: String,
}

pub(crate) async fn list(_: Manager, State(app): State<App>) -> Result<Json<Vec<Group>>, Problem> {
    Ok(Json(app.directory.groups().await?))
}

pub(crate) async fn add(
    manager: Manager,
    State(app): State<App>,
    body: Body<NewGroup>,
) -> Result<StatusCode, Problem> {
    app.directory.add_group(&read(body)?.name.parse()?, &manager.actor).await?;
    Ok(StatusCode::CREATED)
}

pub(crate) async fn remove(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_group(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn join(
    manager: Manager,
    State(app): State<App>,
    Path((name, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.directory.join_group(&name.parse()?, &user.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn leave(
    manager: Manager,
    State(app): State<App>,
    Path((name, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.directory.leave_group(&name.parse()?, &user.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
