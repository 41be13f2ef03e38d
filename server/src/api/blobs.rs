//! `/v2/<name>/blobs/<digest>`.

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use berth_oci::Digest;
use berth_storage::ByteRange;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::range::{self, Asked};
use super::{DOCKER_CONTENT_DIGEST, Last, header, redirect};
use crate::access::{Allowed, Origin, ecr};
use crate::error::Error;
use crate::state::{App, Served};

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

pub(crate) async fn head(
    State(app): State<App>,
    allowed: Allowed<ecr::BatchCheckLayerAvailability>,
    Last(digest): Last<Digest>,
) -> Result<Response, Error> {
    // Who hears that it is there won't send it.
    let found = app.registry.blob_to_count_on(&allowed.repository, &digest).await?;
    let blob = found.ok_or_else(|| berth_storage::Error::BlobUnknown(digest.clone()))?;
    let mut response = StatusCode::OK.into_response();
    describe(&mut response, &digest, blob.size);
    Ok(response)
}

pub(crate) async fn get(
    State(app): State<App>,
    allowed: Allowed<ecr::GetDownloadUrlForLayer>,
    Last(digest): Last<Digest>,
    origin: Origin,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let found = app.registry.blob(&allowed.repository, &digest).await?;
    let blob = found.ok_or_else(|| berth_storage::Error::BlobUnknown(digest.clone()))?;
    if app.settings.blobs_served == Served::ByTheStore
        && let Some(response) = redirect::to_the_store(&app, &blob, &origin).await?
    {
        return Ok(response);
    }
    let asked = range::parse(headers.get(RANGE).and_then(|value| value.to_str().ok()), blob.size)?;
    let range = match asked {
        Asked::Whole => ByteRange { first: 0, end: blob.size },
        Asked::Part(range) => range,
    };
    let read = app.registry.read_blob(&blob, range).await?;
    let mut response = Response::new(Body::from_stream(read.bytes));
    describe(&mut response, &digest, range.end - range.first);
    if asked != Asked::Whole {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let part = format!("bytes {}-{}/{}", range.first, range.end - 1, blob.size);
        response.headers_mut().insert(CONTENT_RANGE, header(part));
    }
    Ok(response)
}

fn describe(response: &mut Response, digest: &Digest, length: u64) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, OCTETS);
    headers.insert(CONTENT_LENGTH, length.into());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(DOCKER_CONTENT_DIGEST, header(digest.as_str().to_owned()));
    headers.insert(ETAG, header(format!("\"{digest}\"")));
}

pub(crate) async fn delete(
    State(app): State<App>,
    allowed: Allowed<ecr::BatchDeleteImage>,
    Last(digest): Last<Digest>,
) -> Result<StatusCode, Error> {
    if !app.settings.delete_enabled {
        return Err(Error::DeleteDisabled);
    }
    app.registry.delete_blob(&allowed.repository, &digest, &allowed.asker.actor()).await?;
    Ok(StatusCode::ACCEPTED)
}
