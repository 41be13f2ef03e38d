//! `GET /v2/`: whether this is a registry, and whether one is logged in.

use axum::response::IntoResponse;

use crate::access::Known;

pub(crate) async fn check(_: Known) -> impl IntoResponse {
    axum::Json(serde_json::json!({}))
}
