//! `GET /v2/<name>/tags/list`.

use axum::extract::State;
use axum::response::Response;
use berth_oci::{RepositoryName, Tag};
use serde::Serialize;

use super::listing::PageOf;
use crate::access::{Allowed, ecr};
use crate::error::Error;
use crate::state::App;

#[derive(Serialize)]
struct Tags<'a> {
    name: &'a RepositoryName,
    tags: &'a [Tag],
}

pub(crate) async fn list(
    State(app): State<App>,
    allowed: Allowed<ecr::ListImages>,
    page: PageOf,
) -> Result<Response, Error> {
    let name = &allowed.repository;
    let tags = app.registry.tags(name, &page.last, page.limit).await?;
    let next = tags.items.last().filter(|_| tags.more).map(Tag::as_str);
    Ok(page.answer(Tags { name, tags: &tags.items }, &format!("/v2/{name}/tags/list"), next))
}
