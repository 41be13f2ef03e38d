//! Retention policies. A scope is a repository's name, a prefix that ends in a slash, or `*`; its slashes
//! are percent-encoded in its path.

use axum::Json;
use axum::extract::rejection::StringRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use berth_oci::ErrorCode;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::problem::Problem;
use super::request::Manager;
use crate::error::Error;
use crate::retention::{Expiring, Gone};
use crate::state::App;

/// The scopes that have a retention policy.
#[utoipa::path(
    get, path = "/retention", operation_id = "list_retention", tag = "retention",
    responses((status = 200, body = Vec<String>, description = "The scopes, in order")),
)]
pub(crate) async fn list(_: Manager, State(app): State<App>) -> Result<Json<Vec<String>>, Problem> {
    Ok(Json(app.directory.retention_scopes().await?))
}

/// The document of a scope.
#[utoipa::path(
    get, path = "/retention/{scope}", operation_id = "show_retention", tag = "retention",
    params(("scope" = String, Path, description = "A repository, a prefix that ends in a slash, or *")),
    responses(
        (status = 200, body = serde_json::Value, description = "The document as it was given"),
        (status = 404, description = "It has none"),
    ),
)]
pub(crate) async fn show(
    _: Manager,
    State(app): State<App>,
    Path(scope): Path<String>,
) -> Result<Response, Problem> {
    let document = app.directory.retention(&scope.parse()?).await?;
    Ok(([(CONTENT_TYPE, "application/json")], document).into_response())
}

/// Gives a scope a retention policy, in place of the one it has; followed within the hour.
#[utoipa::path(
    put, path = "/retention/{scope}", operation_id = "put_retention", tag = "retention",
    params(("scope" = String, Path, description = "A repository, a prefix that ends in a slash, or *")),
    request_body(
        content = serde_json::Value, content_type = "application/json",
        description = "A lifecycle policy as ECR writes it",
    ),
    responses(
        (status = 204, description = "It is in force"),
        (status = 404, description = "There is no such repository"),
    ),
)]
pub(crate) async fn put(
    manager: Manager,
    State(app): State<App>,
    Path(scope): Path<String>,
    document: Result<String, StringRejection>,
) -> Result<StatusCode, Problem> {
    app.directory.put_retention(&scope.parse()?, text(document)?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a scope's retention policy away.
#[utoipa::path(
    delete, path = "/retention/{scope}", operation_id = "remove_retention", tag = "retention",
    params(("scope" = String, Path, description = "A repository, a prefix that ends in a slash, or *")),
    responses((status = 204, description = "It is gone"), (status = 404, description = "It has none")),
)]
pub(crate) async fn remove(
    manager: Manager,
    State(app): State<App>,
    Path(scope): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_retention(&scope.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What of a repository would expire now, by the document in the body, or by the one in force.
#[utoipa::path(
    post, path = "/repositories/{name}/expiring", operation_id = "preview_retention", tag = "retention",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded")),
    request_body(
        content = serde_json::Value, content_type = "application/json",
        description = "A lifecycle policy as ECR writes it; nothing: the one in force",
    ),
    responses(
        (status = 200, body = Vec<Expiring>, description = "The images, the last pushed first"),
        (status = 404, description = "There is no such repository, or no policy for it"),
    ),
)]
pub(crate) async fn preview(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    document: Result<String, StringRejection>,
) -> Result<Json<Vec<Expiring>>, Problem> {
    let document = text(document)?;
    let document = (!document.is_empty()).then_some(&*document);
    Ok(Json(app.directory.expiring(&name.parse()?, document).await?))
}

/// Lets expire now what the policy in force chooses, instead of within the hour.
#[utoipa::path(
    delete, path = "/repositories/{name}/expiring", operation_id = "apply_retention", tag = "retention",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded")),
    responses(
        (status = 200, body = Gone, description = "What went"),
        (status = 404, description = "There is no such repository, or no policy for it"),
    ),
)]
pub(crate) async fn expire(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Gone>, Problem> {
    Ok(Json(app.directory.expire_now(&name.parse()?).await?))
}

fn text(document: Result<String, StringRejection>) -> Result<String, Error> {
    document.map_err(|error| Error::Request(ErrorCode::Unsupported, error.body_text()))
}
