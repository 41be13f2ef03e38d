//! What every request to the management API has in common: who asks, and how queries and bodies are
//! read.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequestParts, Query};
use berth_oci::ErrorCode;
use berth_storage::Actor;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::access::{AllowedHere, ecr};
use crate::directory::PageRequest;
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

/// What the query says.
pub(super) async fn query<T: DeserializeOwned>(parts: &mut Parts, app: &App) -> Result<T, Error> {
    let read: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, app).await;
    match read {
        Ok(Query(asked)) => Ok(asked),
        Err(rejection) => Err(Error::Request(ErrorCode::Unsupported, rejection.body_text())),
    }
}

impl FromRequestParts<App> for PageRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(query(parts, app).await?)
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
