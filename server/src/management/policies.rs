//! Policy documents.

use axum::Json;
use axum::extract::rejection::StringRejection;
use axum::extract::{Path, State};
use berth_auth::PolicyName;
use berth_oci::ErrorCode;
use http::StatusCode;

use super::problem::Problem;
use super::request::Manager;
use crate::directory::Policy;
use crate::error::Error;
use crate::state::App;

pub(crate) async fn list(_: Manager, State(app): State<App>) -> Result<Json<Vec<Policy>>, Problem> {
    Ok(Json(app.directory.policies().await?))
}

pub(crate) async fn show(
    _: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Json<Policy>, Problem> {
    Ok(Json(app.directory.policy(&name.parse::<PolicyName>()?).await?))
}

/// The body is the document itself.
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

pub(crate) async fn remove(
    manager: Manager,
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    app.directory.remove_policy(&name.parse()?, &manager.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}
