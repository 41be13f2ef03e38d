//! What was deleted, and what tags pointed at. The slashes of a name are percent-encoded in its path.

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::request::Manager;
use crate::directory::{Deleted, TagChange};
use crate::state::App;

/// What was brought back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BroughtBack {
    /// The manifest.
    digest: String,
}

/// What was deleted from a repository and can be brought back, the newest first, at most 1000.
#[utoipa::path(
    get, path = "/repositories/{name}/deleted", operation_id = "list_deleted", tag = "repositories",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded")),
    responses(
        (status = 200, body = Vec<Deleted>, description = "Manifests and tags"),
        (status = 404, description = "There is no such repository"),
    ),
)]
pub(crate) async fn list(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Vec<Deleted>>, Problem> {
    Ok(Json(app.directory.deleted(&name.parse()?).await?))
}

/// Brings a removed repository back with all that was in it.
#[utoipa::path(
    post, path = "/repositories/{name}/deleted", operation_id = "undelete_repository", tag = "repositories",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded")),
    responses(
        (status = 204, description = "It is back"),
        (status = 404, description = "None of that name was removed, or it is collected already"),
        (status = 409, description = "There is one of that name again"),
    ),
)]
pub(crate) async fn bring_back_repository(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.undelete_repository(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Brings a manifest back with the tags that went with it, or a tag to what it named last.
#[utoipa::path(
    post, path = "/repositories/{name}/deleted/{reference}", operation_id = "undelete", tag = "repositories",
    params(
        ("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded"),
        ("reference" = String, Path, description = "A digest or a tag"),
    ),
    responses(
        (status = 200, body = BroughtBack, description = "It is back"),
        (status = 404, description = "Nothing of that name was deleted, or it is collected already"),
    ),
)]
pub(crate) async fn bring_back(
    manager: Manager,
    State(app): State<App>,
    Path((name, reference)): Path<(String, String)>,
) -> Result<Json<BroughtBack>, Problem> {
    let (name, reference) = (name.parse()?, reference.parse()?);
    Ok(Json(BroughtBack { digest: app.directory.undelete(&name, &reference, &manager.actor).await? }))
}

/// What a tag pointed at, the newest first, at most 1000.
#[utoipa::path(
    get, path = "/repositories/{name}/tags/{tag}/history", operation_id = "show_tag_history", tag = "repositories",
    params(
        ("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded"),
        ("tag" = String, Path, description = "The tag"),
    ),
    responses(
        (status = 200, body = Vec<TagChange>, description = "Its changes; none: there never was such a tag"),
        (status = 404, description = "There is no such repository"),
    ),
)]
pub(crate) async fn history(
    _: Manager,
    State(app): State<App>,
    Path((name, tag)): Path<(String, String)>,
) -> Result<Json<Vec<TagChange>>, Problem> {
    Ok(Json(app.directory.tag_history(&name.parse()?, &tag.parse()?).await?))
}
