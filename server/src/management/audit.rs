//! What was done and refused.

use std::time::SystemTime;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use berth_oci::ErrorCode;
use berth_storage::{AuditPage, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::Problem;
use super::request::Manager;
use crate::directory::AuditEntry;
use crate::error::Error;
use crate::moments;
use crate::state::App;

/// How many records one answer holds, unless fewer are wanted.
const MOST: u64 = 1000;

/// Which records are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// From this moment on (RFC 3339); left out: from the first record on.
    since: Option<String>,
    /// After the record of this id.
    #[serde(default)]
    after: i64,
    /// At most so many.
    limit: Option<u64>,
}

/// The records in the order of writing; the next page is after the last one's id.
#[utoipa::path(
    get, path = "/audit", operation_id = "list_audit", tag = "audit",
    params(Asked),
    responses((status = 200, body = Vec<AuditEntry>, description = "The records, at most 1000")),
)]
pub(crate) async fn list(
    _: Manager,
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Vec<AuditEntry>>, Problem> {
    let refused = |sentence: String| Error::Request(ErrorCode::Unsupported, sentence);
    let Query(asked) = asked.map_err(|error| refused(error.body_text()))?;
    let since = asked.since.map(|text| moments::parse("since", &text)).transpose()?;
    let page = AuditPage {
        since: since.unwrap_or(Timestamp::from_system(SystemTime::UNIX_EPOCH)),
        after: asked.after.max(0),
        limit: asked.limit.unwrap_or(MOST).min(MOST),
    };
    Ok(Json(app.directory.audit(page).await?))
}
