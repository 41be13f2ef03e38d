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
    _: Manager,
    State(app): State<App>,
    body: Body<NewGroup>,
) -> Result<StatusCode, Problem> {
    app.directory.add_group(&read(body)?.name.parse()?).await?;
    Ok(StatusCode::CREATED)
}

pub(crate) async fn remove(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_group(&name.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn join(
    _: Manager,
    State(app): State<App>,
    Path((name, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.directory.join_group(&name.parse()?, &user.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn leave(
    _: Manager,
    State(app): State<App>,
    Path((name, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.directory.leave_group(&name.parse()?, &user.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
