//! `GET /v2/_oci/ext/discover` (distribution-spec, *Extensions*): what there is beside the
//! specification.

use axum::Json;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::access::{Allowed, Known, ecr};

fn extensions() -> Json<Value> {
    Json(json!({
        "extensions": [{
            "name": "_catalog",
            "description": "the repositories that the caller may see",
            "url": "https://distribution.github.io/distribution/spec/api/#catalog",
            "endpoints": ["_catalog"],
        }],
    }))
}

pub(crate) async fn discover(_: Known) -> impl IntoResponse {
    extensions()
}

pub(crate) async fn discover_repository(_: Allowed<ecr::BatchGetImage>) -> impl IntoResponse {
    extensions()
}
