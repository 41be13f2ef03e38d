//! Policy documents.

use axum::Json;
use axum::extract::rejection::StringRejection;
use axum::extract::{Path, State};
use berth_auth::PolicyName;
use berth_oci::ErrorCode;
use http::StatusCode;

use super::problem::Problem;
use super::request::Manager;
use crate::directory::{ListPage, PageRequest, Policy};
use crate::error::Error;
use crate::state::App;

/// The policies: the shipped ones first, then the others in order of name.
#[utoipa::path(
    get, path = "/policies", operation_id = "list_policies", tag = "policies",
    params(PageRequest),
    responses((status = 200, body = ListPage<Policy>, description = "One page of them")),
)]
pub(crate) async fn list(
    _: Manager,
    State(app): State<App>,
    page: PageRequest,
) -> Result<Json<ListPage<Policy>>, Problem> {
    Ok(Json(app.directory.policies(&page).await?))
}

/// One policy with its document.
#[utoipa::path(
    get, path = "/policies/{name}", operation_id = "show_policy", tag = "policies",
    params(("name" = String, Path, description = "The policy's name")),
    responses(
        (status = 200, body = Policy, description = "The policy"),
        (status = 404, description = "There is no such policy"),
    ),
)]
pub(crate) async fn show(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Policy>, Problem> {
    Ok(Json(app.directory.policy(&name.parse::<PolicyName>()?).await?))
}

/// Keeps a document under a name, in place of the one it had.
///
/// Whoever has the policy is judged by it from their next request on.
#[utoipa::path(
    put, path = "/policies/{name}", operation_id = "put_policy", tag = "policies",
    params(("name" = String, Path, description = "The policy's name, which is none that comes with Berth")),
    request_body(
        content = serde_json::Value, content_type = "application/json",
        description = "A policy document as IAM writes it",
    ),
    responses((status = 204, description = "It is kept")),
)]
pub(crate) async fn keep(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
    document: Result<String, StringRejection>,
) -> Result<StatusCode, Problem> {
    let document = document.map_err(|error| Error::Request(ErrorCode::Unsupported, error.body_text()))?;
    app.directory.put_policy(&name.parse()?, document, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a policy that nobody has.
#[utoipa::path(
    delete, path = "/policies/{name}", operation_id = "remove_policy", tag = "policies",
    params(("name" = String, Path, description = "The policy's name, which is none that comes with Berth")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "There is no such policy"),
        (status = 409, description = "Somebody has it"),
    ),
)]
pub(crate) async fn remove(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_policy(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
