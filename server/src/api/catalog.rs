//! `GET /v2/_catalog` (docker's): the repositories that the caller may see, and no others.

use axum::extract::State;
use axum::response::Response;
use berth_auth::Action;
use berth_oci::RepositoryName;
use serde::Serialize;

use super::listing::PageOf;
use crate::access::{AllowedHere, ecr};
use crate::error::Error;
use crate::state::App;

#[derive(Serialize)]
struct Catalog<'a> {
    repositories: &'a [RepositoryName],
}

pub(crate) async fn list(
    State(app): State<App>,
    allowed: AllowedHere<ecr::DescribeRepositories>,
    page: PageOf,
) -> Result<Response, Error> {
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let mut seen: Vec<RepositoryName> = Vec::new();
    let mut last = page.last.clone();
    // One more than asked for tells whether there is another page.
    let more = loop {
        let step = app.registry.repositories(&last, page.limit.clamp(100, 1_000)).await?;
        for name in &step.items {
            if allowed.asker.identity_may(&app, Action::DescribeRepositories, name).await? {
                seen.push(name.clone());
            }
        }
        if seen.len() > limit {
            seen.truncate(limit);
            break true;
        }
        match step.items.last() {
            Some(end) if step.more => last = end.as_str().to_owned(),
            _ => break false,
        }
    };
    let next = seen.last().filter(|_| more).map(RepositoryName::as_str);
    Ok(page.answer(Catalog { repositories: &seen }, "/v2/_catalog", next))
}
