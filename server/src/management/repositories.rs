//! Repositories and their policies. The slashes of a name are percent-encoded in its path.

use axum::extract::rejection::StringRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use berth_oci::ErrorCode;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::problem::Problem;
use super::users::Manager;
use crate::error::Error;
use crate::state::App;

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
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    document: Result<String, StringRejection>,
) -> Result<StatusCode, Problem> {
    let document = document.map_err(|error| Error::Request(ErrorCode::Unsupported, error.body_text()))?;
    app.directory.put_repository_policy(&name.parse()?, document).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn remove_policy(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_repository_policy(&name.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn publish(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.publish(&name.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn unpublish(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.unpublish(&name.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
