//! `/livez`, `/readyz` and `/metrics`: for whoever keeps the server running.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::access::{AllowedHere, ecr};
use crate::metrics;
use crate::state::App;

/// The probes, with metrics for those who may read them.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_for_allowed))
}

/// The probes on an address of their own, which whoever can reach may read.
pub(crate) fn open_routes() -> Router<App> {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready)).route("/metrics", get(all_metrics))
}

async fn live() -> &'static str {
    "ok\n"
}

/// Never scans anything: the database answers, so the registry does.
async fn ready(State(app): State<App>) -> Response {
    match app.registry.check().await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

async fn metrics_for_allowed(_: AllowedHere<ecr::ReadMetrics>, State(app): State<App>) -> Response {
    all_metrics(State(app)).await
}

async fn all_metrics(State(app): State<App>) -> Response {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], app.metrics.render()).into_response()
}
