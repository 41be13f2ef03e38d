//! The keys that sign tokens.

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use super::problem::Problem;
use super::request::Manager;
use crate::directory::SigningKeyInfo;
use crate::state::App;

/// The keys that sign tokens, or did and are still believed; the newest first.
#[utoipa::path(
    get, path = "/signing-keys", operation_id = "list_signing_keys", tag = "signing keys",
    responses((status = 200, body = Vec<SigningKeyInfo>, description = "The keys")),
)]
pub(crate) async fn list(_: Manager, State(app): State<App>) -> Result<Json<Vec<SigningKeyInfo>>, Problem> {
    Ok(Json(app.directory.signing_keys().await?))
}

/// Makes a new key, which signs from now on.
#[utoipa::path(
    post, path = "/signing-keys", operation_id = "rotate_signing_key", tag = "signing keys",
    responses((status = 201, description = "It signs")),
)]
pub(crate) async fn rotate(manager: Manager, State(app): State<App>) -> Result<StatusCode, Problem> {
    app.directory.rotate_signing_key(&manager.actor).await?;
    Ok(StatusCode::CREATED)
}
