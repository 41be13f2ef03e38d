//! Groups of users.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::request::{Body, Manager, read};
use crate::directory::{Group, ListPage, PageRequest};
use crate::state::App;

/// A group that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewGroup {
    /// What people will call it.
    name: String,
}

/// The groups, in order of name.
#[utoipa::path(
    get, path = "/groups", operation_id = "list_groups", tag = "groups",
    params(PageRequest),
    responses((status = 200, body = ListPage<Group>, description = "One page of them")),
)]
pub(crate) async fn list(
    _: Manager,
    State(app): State<App>,
    page: PageRequest,
) -> Result<Json<ListPage<Group>>, Problem> {
    Ok(Json(app.directory.groups(&page).await?))
}

/// Makes a group that nobody is in.
#[utoipa::path(
    post, path = "/groups", operation_id = "add_group", tag = "groups",
    request_body = NewGroup,
    responses(
        (status = 201, description = "It is made"),
        (status = 409, description = "The name is taken"),
    ),
)]
pub(crate) async fn add(
    manager: Manager,
    State(app): State<App>,
    body: Body<NewGroup>,
) -> Result<StatusCode, Problem> {
    app.directory.add_group(&read(body)?.name.parse()?, &manager.actor).await?;
    Ok(StatusCode::CREATED)
}

/// Removes a group; who was in it loses what it gave at once.
#[utoipa::path(
    delete, path = "/groups/{name}", operation_id = "remove_group", tag = "groups",
    params(("name" = String, Path, description = "The group's name")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "There is no such group"),
    ),
)]
pub(crate) async fn remove(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_group(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a user into a group; doing it again changes nothing.
#[utoipa::path(
    put, path = "/groups/{name}/members/{user}", operation_id = "join_group", tag = "groups",
    params(
        ("name" = String, Path, description = "The group's name"),
        ("user" = String, Path, description = "The user's name"),
    ),
    responses(
        (status = 204, description = "They are in it"),
        (status = 404, description = "There is no such group or user"),
    ),
)]
pub(crate) async fn join(
    manager: Manager,
    State(app): State<App>,
    Path((name, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.directory.join_group(&name.parse()?, &user.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a user out of a group.
#[utoipa::path(
    delete, path = "/groups/{name}/members/{user}", operation_id = "leave_group", tag = "groups",
    params(
        ("name" = String, Path, description = "The group's name"),
        ("user" = String, Path, description = "The user's name"),
    ),
    responses(
        (status = 204, description = "They are in it no more"),
        (status = 404, description = "There is no such group or user, or they were not in it"),
    ),
)]
pub(crate) async fn leave(
    manager: Manager,
    State(app): State<App>,
    Path((name, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.directory.leave_group(&name.parse()?, &user.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
