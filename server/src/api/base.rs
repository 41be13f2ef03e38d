//! `GET /v2/`: whether this is a registry, and whether one is logged in.

use axum::response::IntoResponse;

use super::{DOCKER_API_VERSION, REGISTRY_2};
use crate::access::Known;

pub(crate) async fn check(_: Known) -> impl IntoResponse {
    ([(DOCKER_API_VERSION, REGISTRY_2)], axum::Json(serde_json::json!({})))
}
