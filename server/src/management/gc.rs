//! The collection of what nobody needs any more.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use berth_oci::ErrorCode;
use berth_storage::Age;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tracing::warn;
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::request::Manager;
use crate::directory::{Forecast, Usage};
use crate::error::Error;
use crate::state::App;

/// What a collection freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Collected {
    /// Manifests that went.
    pub manifests: u64,
    /// Blobs that no repository holds any more.
    pub blobs: u64,
    /// Bytes of those blobs, which go as soon as nobody can be reading them.
    pub bytes: u64,
}

/// How a collection is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Answer when it is done, and with what it freed.
    #[serde(default)]
    wait: bool,
}

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
    let age = app.registry.accept_restore(&manager.actor).await.map_err(Error::from)?;
    Ok(Json(AcceptedRestore { was_restored: age != Age::Same }))
}

/// Collects now what is due, instead of within the next minute.
#[utoipa::path(
    post, path = "/gc", operation_id = "collect", tag = "gc",
    params(Asked),
    responses(
        (status = 200, body = Collected, description = "It is done"),
        (status = 202, description = "It has begun"),
        (status = 409, description = "The database was restored, and nobody has accepted it"),
    ),
)]
pub(crate) async fn collect(
    _: Manager,
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Problem> {
    let refused = |error: QueryRejection| Error::Request(ErrorCode::Unsupported, error.body_text());
    let Query(Asked { wait }) = asked.map_err(refused)?;
    if app.registry.age().await.map_err(Error::from)? != Age::Same {
        return Err(Error::DatabaseRestored.into());
    }
    if wait {
        let swept = app.registry.sweep().await.map_err(Error::from)?;
        let collected = Collected { manifests: swept.manifests, blobs: swept.blobs, bytes: swept.bytes };
        return Ok(Json(collected).into_response());
    }
    tokio::spawn(async move {
        if let Err(error) = app.registry.sweep().await {
            warn!(%error, "clearing what nobody needs failed; trying again");
        }
    });
    Ok(StatusCode::ACCEPTED.into_response())
}

/// What collection will free if nothing else happens, and when.
#[utoipa::path(
    get, path = "/gc/forecast", operation_id = "forecast", tag = "gc",
    responses((status = 200, body = Forecast, description = "In all, and by repository")),
)]
pub(crate) async fn forecast(_: Manager, State(app): State<App>) -> Result<Json<Forecast>, Problem> {
    Ok(Json(app.directory.forecast().await?))
}

/// How many bytes repositories hold.
#[utoipa::path(
    get, path = "/gc/usage", operation_id = "usage", tag = "gc",
    responses((status = 200, body = Usage, description = "In all, and by repository")),
)]
pub(crate) async fn usage(_: Manager, State(app): State<App>) -> Result<Json<Usage>, Problem> {
    Ok(Json(app.directory.usage().await?))
}
