//! The collection of what nobody needs any more.

use axum::Json;
use axum::extract::State;
use berth_storage::Age;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use super::request::Manager;
use crate::state::App;

/// What came of accepting a restored database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AcceptedRestore {
    /// Whether the database was of an older state than its blob store; else nothing was to be accepted.
    pub was_restored: bool,
}

/// Takes a restored database for what is true from now on, so that what it doesn't need is collected again.
#[utoipa::path(
    post, path = "/gc/accept-restore", operation_id = "accept_restore", tag = "gc",
    responses((status = 200, body = AcceptedRestore, description = "It is accepted, if it was restored")),
)]
pub(crate) async fn accept_restore(
    manager: Manager,
    State(app): State<App>,
) -> Result<Json<AcceptedRestore>, Problem> {
    let age = app.registry.accept_restore(&manager.actor).await.map_err(crate::error::Error::from)?;
    Ok(Json(AcceptedRestore { was_restored: age != Age::Same }))
}
