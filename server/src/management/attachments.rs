//! Policies attached to users and to groups, and detached.

use axum::extract::{Path, State};
use berth_auth::Attachment;
use http::StatusCode;

use super::problem::Problem;
use super::request::{Body, Manager, read};
use crate::directory::{AttachedPolicy, Holder};
use crate::error::Error;
use crate::state::App;

/// What a body says of a policy and where it counts.
pub(super) fn attachment(policy: &AttachedPolicy) -> Result<Attachment, Error> {
    Ok(Attachment::new(policy.policy.parse()?, policy.prefix.parse()?)?)
}

/// Attaches a policy to a user; doing it again changes nothing.
#[utoipa::path(
    post, path = "/users/{name}/policies", operation_id = "attach_to_user", tag = "policies",
    params(("name" = String, Path, description = "The user's name")),
    request_body = AttachedPolicy,
    responses(
        (status = 204, description = "It is attached"),
        (status = 404, description = "There is no such user or policy"),
    ),
)]
pub(crate) async fn attach_to_user(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    body: Body<AttachedPolicy>,
) -> Result<StatusCode, Problem> {
    attach(&app, &Holder::User(name.parse()?), body, &manager).await
}

/// Attaches a policy to a group; doing it again changes nothing.
#[utoipa::path(
    post, path = "/groups/{name}/policies", operation_id = "attach_to_group", tag = "policies",
    params(("name" = String, Path, description = "The group's name")),
    request_body = AttachedPolicy,
    responses(
        (status = 204, description = "It is attached"),
        (status = 404, description = "There is no such group or policy"),
    ),
)]
pub(crate) async fn attach_to_group(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    body: Body<AttachedPolicy>,
) -> Result<StatusCode, Problem> {
    attach(&app, &Holder::Group(name.parse()?), body, &manager).await
}

/// Detaches a policy from a user.
#[utoipa::path(
    delete, path = "/users/{name}/policies", operation_id = "detach_from_user", tag = "policies",
    params(("name" = String, Path, description = "The user's name")),
    request_body = AttachedPolicy,
    responses(
        (status = 204, description = "It is detached"),
        (status = 404, description = "There is no such user, or the policy was not attached so"),
    ),
)]
pub(crate) async fn detach_from_user(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    body: Body<AttachedPolicy>,
) -> Result<StatusCode, Problem> {
    detach(&app, &Holder::User(name.parse()?), body, &manager).await
}

/// Detaches a policy from a group.
#[utoipa::path(
    delete, path = "/groups/{name}/policies", operation_id = "detach_from_group", tag = "policies",
    params(("name" = String, Path, description = "The group's name")),
    request_body = AttachedPolicy,
    responses(
        (status = 204, description = "It is detached"),
        (status = 404, description = "There is no such group, or the policy was not attached so"),
    ),
)]
pub(crate) async fn detach_from_group(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    body: Body<AttachedPolicy>,
) -> Result<StatusCode, Problem> {
    detach(&app, &Holder::Group(name.parse()?), body, &manager).await
}

async fn attach(
    app: &App,
    holder: &Holder,
    body: Body<AttachedPolicy>,
    manager: &Manager,
) -> Result<StatusCode, Problem> {
    app.directory.attach(holder, &attachment(&read(body)?)?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn detach(
    app: &App,
    holder: &Holder,
    body: Body<AttachedPolicy>,
    manager: &Manager,
) -> Result<StatusCode, Problem> {
    app.directory.detach(holder, &attachment(&read(body)?)?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
