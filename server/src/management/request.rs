//! What every request to the management API has in common: who asks, and how bodies are read.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::extract::rejection::JsonRejection;
use berth_oci::ErrorCode;
use berth_storage::Actor;
use http::request::Parts;

use super::problem::Problem;
use crate::access::{AllowedHere, ecr};
use crate::error::Error;
use crate::state::App;

/// Someone who may manage users; refused in the words of this API.
pub(crate) struct Manager {
    /// Who it is, as it is written down.
    pub(crate) actor: Actor,
}

impl FromRequestParts<App> for Manager {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let allowed = AllowedHere::<ecr::ManageUsers>::from_request_parts(parts, app).await?;
        Ok(Self { actor: allowed.asker.actor() })
    }
}

/// A body of JSON, or what is wrong with it.
pub(super) type Body<T> = Result<Json<T>, JsonRejection>;

/// What the body says.
pub(super) fn read<T>(body: Body<T>) -> Result<T, Error> {
    match body {
        Ok(Json(value)) => Ok(value),
        Err(rejection) => Err(Error::Request(ErrorCode::Unsupported, rejection.body_text())),
    }
}
