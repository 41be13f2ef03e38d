//! Repositories and their policies. The slashes of a name are percent-encoded in its path.

use axum::Json;
use axum::extract::rejection::{QueryRejection, StringRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use berth_oci::ErrorCode;
use berth_storage::{Images, NewRepository, TagMutability};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;

use super::problem::Problem;
use super::request::{Body, Manager, read};
use crate::directory::Repository;
use crate::error::Error;
use crate::state::App;

/// A repository that is to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct New {
    name: String,
    description: Option<String>,
    /// Whether its tags stay where they are, but for those that match a pattern.
    #[serde(default)]
    immutable: bool,
    #[serde(default)]
    immutable_except: Vec<String>,
}

/// How a repository is removed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    /// With its images.
    #[serde(default)]
    force: bool,
}

pub(crate) async fn list(_: Manager, State(app): State<App>) -> Result<Json<Vec<Repository>>, Problem> {
    Ok(Json(app.directory.repositories().await?))
}

pub(crate) async fn add(
    manager: Manager,
    State(app): State<App>,
    body: Body<New>,
) -> Result<StatusCode, Problem> {
    let new = read(body)?;
    let except = new.immutable_except.iter().map(|text| text.parse()).collect::<Result<Vec<_>, _>>()?;
    let tags = if new.immutable || !except.is_empty() {
        TagMutability::Immutable(except)
    } else {
        TagMutability::Mutable
    };
    let new = NewRepository { name: new.name.parse()?, description: new.description, tags };
    app.directory.add_repository(new, &manager.actor).await?;
    Ok(StatusCode::CREATED)
}

pub(crate) async fn show(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Repository>, Problem> {
    Ok(Json(app.directory.repository(&name.parse()?).await?))
}

pub(crate) async fn remove(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    removal: Result<Query<Removal>, QueryRejection>,
) -> Result<StatusCode, Problem> {
    let refused = |error: QueryRejection| Error::Request(ErrorCode::Unsupported, error.body_text());
    let images = if removal.map_err(refused)?.force { Images::Removed } else { Images::None };
    app.directory.remove_repository(&name.parse()?, images, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The document itself.
pub(crate) async fn show_policy(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let document = app.directory.repository_document(&name.parse()?).await?;
    Ok(([(CONTENT_TYPE, "application/json")], document).into_response())
}

/// The body is the document itself.
pub(crate) async fn put_policy(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    document: Result<String, StringRejection>,
) -> Result<StatusCode, Problem> {
    let document = document.map_err(|error| Error::Request(ErrorCode::Unsupported, error.body_text()))?;
    app.directory.put_repository_policy(&name.parse()?, document, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn remove_policy(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_repository_policy(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn publish(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.publish(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn unpublish(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.unpublish(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
