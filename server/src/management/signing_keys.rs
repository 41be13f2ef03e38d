//! The keys that sign tokens.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use super::problem::Problem;
use super::request::Manager;
use crate::directory::SigningKeyInfo;
use crate::state::App;

pub(crate) async fn list(_: Manager, State(app): State<App>) -> Result<Json<Vec<SigningKeyInfo>>, Problem> {
    Ok(Json(app.directory.signing_keys().await?))
}

/// A new key signs from now on.
pub(crate) async fn rotate(manager: Manager, State(app): State<App>) -> Result<StatusCode, Problem> {
    app.directory.rotate_signing_key(&manager.actor).await?;
    Ok(StatusCode::CREATED)
}
