//! `GET /v2/<name>/referrers/<digest>` (distribution-spec, *Listing Referrers*).

use axum::extract::State;
use axum::response::Response;
use berth_oci::{Descriptor, Digest, ErrorCode, MediaType};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::listing::PageOf;
use super::{Last, header};
use crate::access::{Allowed, ecr};
use crate::error::Error;
use crate::state::App;

const OCI_FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// Referrers carry their annotations, so a page of them is shorter than one of names.
const MOST: u64 = 1_000;

/// An image index.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u32,
    media_type: MediaType,
    manifests: &'a [Descriptor],
}

pub(crate) async fn list(
    State(app): State<App>,
    allowed: Allowed<ecr::ListImageReferrers>,
    Last(subject): Last<Digest>,
    uri: Uri,
    mut page: PageOf,
) -> Result<Response, Error> {
    page.limit = page.limit.min(MOST);
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let wanted = query.filter(|(key, _)| key == "artifactType").map(|(_, value)| value).next();
    let wanted = wanted.as_deref().filter(|wanted| !wanted.is_empty());
    if wanted.is_some_and(|wanted| wanted.contains(char::is_control)) {
        let message = "artifactType holds a control character, as no media type does".to_owned();
        return Err(Error::Request(ErrorCode::Unsupported, message));
    }
    let name = &allowed.repository;
    let found = app.registry.referrers(name, &subject, wanted, &page.last, page.limit).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.digest.as_str());
    let filter =
        wanted.map(|wanted| format!("?artifactType={}", utf8_percent_encode(wanted, NON_ALPHANUMERIC)));
    let path = format!("/v2/{name}/referrers/{subject}{}", filter.unwrap_or_default());
    let index = Index { schema_version: 2, media_type: MediaType::OCI_INDEX, manifests: &found.items };
    let mut response = page.answer(index, &path, next);
    response.headers_mut().insert(CONTENT_TYPE, header(MediaType::OCI_INDEX.as_str().to_owned()));
    if wanted.is_some() {
        response.headers_mut().insert(OCI_FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
    }
    Ok(response)
}
