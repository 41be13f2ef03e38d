//! Why something is allowed or denied.

use std::net::IpAddr;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::Problem;
use super::request::{Manager, query};
use crate::circumstances::Circumstances;
use crate::directory::Explanation;
use crate::state::App;

/// Who does what to what; without a repository, to the registry as a whole.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// A user, or `anonymous`: whoever has not logged in.
    user: String,
    /// What, as ECR names it.
    action: String,
    /// To which repository; left out: to the registry as a whole.
    repository: Option<String>,
    /// Whence; left out: whence this is asked.
    #[param(value_type = Option<String>)]
    from: Option<IpAddr>,
}

impl FromRequestParts<App> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(query(parts, app).await?)
    }
}

/// Whether somebody may do something, and why, as if they asked now in the way that this question came.
#[utoipa::path(
    get, path = "/explain", operation_id = "explain", tag = "policies",
    params(Asked),
    responses(
        (status = 200, body = Explanation, description = "The decision and what makes it"),
        (status = 404, description = "There is no such user"),
    ),
)]
pub(crate) async fn explain(
    _: Manager,
    State(app): State<App>,
    circumstances: Circumstances,
    asked: Asked,
) -> Result<Json<Explanation>, Problem> {
    let repository = asked.repository.map(|name| name.parse()).transpose()?;
    let mut context = circumstances.context();
    context.address = asked.from.or(context.address);
    let (subject, action) = (asked.user.parse()?, asked.action.parse()?);
    Ok(Json(app.directory.explain(&subject, action, repository.as_ref(), &context).await?))
}
