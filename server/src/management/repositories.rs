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
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::request::{Body, Manager, read};
use crate::directory::{ListPage, PageRequest, Repository};
use crate::error::Error;
use crate::retention::parse_keep_untagged;
use crate::state::App;

/// A repository that is to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRepository)]
pub(crate) struct New {
    /// Its name.
    name: String,
    /// A sentence for people.
    description: Option<String>,
    /// Whether its tags stay where they are, but for those that match a pattern.
    #[serde(default)]
    immutable: bool,
    /// Patterns of tags that may move although others may not.
    #[serde(default)]
    immutable_except: Vec<String>,
}

/// How a repository is removed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Removal {
    /// With its images.
    #[serde(default)]
    force: bool,
}

/// The repositories, in order of name.
#[utoipa::path(
    get, path = "/repositories", operation_id = "list_repositories", tag = "repositories",
    params(PageRequest),
    responses((status = 200, body = ListPage<Repository>, description = "One page of them")),
)]
pub(crate) async fn list(
    _: Manager,
    State(app): State<App>,
    page: PageRequest,
) -> Result<Json<ListPage<Repository>>, Problem> {
    Ok(Json(app.directory.repositories(&page).await?))
}

/// Makes a repository.
#[utoipa::path(
    post, path = "/repositories", operation_id = "add_repository", tag = "repositories",
    request_body = New,
    responses(
        (status = 201, description = "It is made"),
        (status = 409, description = "The name is taken"),
    ),
)]
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

/// One repository.
#[utoipa::path(
    get, path = "/repositories/{name}", operation_id = "show_repository", tag = "repositories",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded")),
    responses(
        (status = 200, body = Repository, description = "The repository"),
        (status = 404, description = "There is no such repository"),
    ),
)]
pub(crate) async fn show(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Repository>, Problem> {
    Ok(Json(app.directory.repository(&name.parse()?).await?))
}

/// How long a repository keeps manifests that have no tag.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Untagged {
    /// `never` goes, `default` is as the server is configured, else a time such as `14d`.
    keep: String,
}

/// Sets how long a repository keeps manifests that have no tag, those it has included.
#[utoipa::path(
    put, path = "/repositories/{name}/untagged", operation_id = "keep_untagged", tag = "repositories",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded")),
    request_body = Untagged,
    responses(
        (status = 204, description = "It is set"),
        (status = 404, description = "There is no such repository"),
    ),
)]
pub(crate) async fn keep_untagged(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    body: Body<Untagged>,
) -> Result<StatusCode, Problem> {
    let keep = parse_keep_untagged(&read(body)?.keep)?;
    app.directory.keep_untagged(&name.parse()?, keep, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a repository.
#[utoipa::path(
    delete, path = "/repositories/{name}", operation_id = "remove_repository", tag = "repositories",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded"), Removal),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "There is no such repository"),
        (status = 409, description = "It holds images, and they do not go too"),
    ),
)]
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

/// The document of a repository's own policy.
#[utoipa::path(
    get, path = "/repositories/{name}/policy", operation_id = "show_repository_policy", tag = "repositories",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded")),
    responses(
        (status = 200, body = serde_json::Value, description = "The document as it was given"),
        (status = 404, description = "There is no such repository, or it has no policy"),
    ),
)]
pub(crate) async fn show_policy(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let document = app.directory.repository_document(&name.parse()?).await?;
    Ok(([(CONTENT_TYPE, "application/json")], document).into_response())
}

/// Gives a repository a policy of its own, in place of the one it has.
#[utoipa::path(
    put, path = "/repositories/{name}/policy", operation_id = "put_repository_policy", tag = "repositories",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded")),
    request_body(
        content = serde_json::Value, content_type = "application/json",
        description = "A policy document as IAM writes it, with a Principal",
    ),
    responses(
        (status = 204, description = "It is in force"),
        (status = 404, description = "There is no such repository"),
    ),
)]
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

/// Takes a repository's own policy away.
#[utoipa::path(
    delete, path = "/repositories/{name}/policy", operation_id = "remove_repository_policy", tag = "repositories",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is no such repository, or it has no policy"),
    ),
)]
pub(crate) async fn remove_policy(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_repository_policy(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets everyone pull from a repository, also without a login; doing it again changes nothing.
#[utoipa::path(
    put, path = "/repositories/{name}/public", operation_id = "publish_repository", tag = "repositories",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded")),
    responses(
        (status = 204, description = "It is public"),
        (status = 404, description = "There is no such repository"),
    ),
)]
pub(crate) async fn publish(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.publish(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends that everyone may pull from a repository; doing it again changes nothing.
#[utoipa::path(
    delete, path = "/repositories/{name}/public", operation_id = "unpublish_repository", tag = "repositories",
    params(("name" = String, Path, description = "The repository's name, whose slashes are percent-encoded")),
    responses(
        (status = 204, description = "It is public no more"),
        (status = 404, description = "There is no such repository"),
    ),
)]
pub(crate) async fn unpublish(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.unpublish(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
