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

pub(crate) async fn attach_to_user(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    body: Body<AttachedPolicy>,
) -> Result<StatusCode, Problem> {
    attach(&app, &Holder::User(name.parse()?), body, &manager).await
}

pub(crate) async fn attach_to_group(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    body: Body<AttachedPolicy>,
) -> Result<StatusCode, Problem> {
    attach(&app, &Holder::Group(name.parse()?), body, &manager).await
}

pub(crate) async fn detach_from_user(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    body: Body<AttachedPolicy>,
) -> Result<StatusCode, Problem> {
    detach(&app, &Holder::User(name.parse()?), body, &manager).await
}

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
