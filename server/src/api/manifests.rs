//! `/v2/<name>/manifests/<reference>`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use berth_oci::{Algorithm, Digest, ErrorCode, Manifest, Reference, Tag};
use berth_storage::{PushedManifest, StoredManifest};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};

use super::body::ManifestBody;
use super::{DOCKER_CONTENT_DIGEST, Last, header};
use crate::access::{Allowed, ecr};
use crate::error::Error;
use crate::state::App;

const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");

pub(crate) async fn get(
    State(app): State<App>,
    allowed: Allowed<ecr::BatchGetImage>,
    Last(reference): Last<Reference>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let found = app.registry.manifest(&allowed.repository, &reference).await?;
    let found = found.ok_or_else(|| Error::manifest_unknown(&reference))?;
    if method == Method::GET {
        app.registry.note_pull(&allowed.repository, &found);
    }
    Ok(answer(&found, &headers))
}

fn answer(found: &StoredManifest, asked: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", found.digest);
    let known = asked.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let unchanged = known.is_some_and(|known| {
        known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == etag)
    });
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut whole = Response::new(Body::from(found.content.clone()));
        let headers = whole.headers_mut();
        headers.insert(CONTENT_TYPE, header(found.media_type.as_str().to_owned()));
        headers.insert(CONTENT_LENGTH, found.content.len().into());
        whole
    };
    let headers = response.headers_mut();
    headers.insert(DOCKER_CONTENT_DIGEST, header(found.digest.as_str().to_owned()));
    headers.insert(ETAG, header(etag));
    response
}

pub(crate) async fn put(
    State(app): State<App>,
    allowed: Allowed<ecr::PutImage>,
    Last(reference): Last<Reference>,
    uri: Uri,
    headers: HeaderMap,
    ManifestBody(content): ManifestBody,
) -> Result<Response, Error> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let manifest = Arc::new(Manifest::parse(content_type, &content)?);
    let mut tags = tags_in(&uri)?;
    let digest = match &reference {
        Reference::Tag(tag) => {
            tags.insert(0, tag.clone());
            Digest::of(Algorithm::Sha256, &content)
        }
        Reference::Digest(expected) => {
            let actual = Digest::of(expected.algorithm(), &content);
            if actual != *expected {
                return Err(
                    berth_storage::Error::DigestMismatch { expected: expected.clone(), actual }.into()
                );
            }
            actual
        }
    };
    let pushed = PushedManifest {
        repository: allowed.repository.clone(),
        digest: digest.clone(),
        tags: tags.clone(),
        content,
        manifest: Arc::clone(&manifest),
        sparse: app.settings.sparse,
        creation: allowed.creation(&app),
    };
    let put = app.registry.put_manifest(pushed, &allowed.asker.actor()).await;
    put.map_err(|error| allowed.refusal(&app, error))?;
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, header(format!("/v2/{}/manifests/{reference}", allowed.repository)));
    headers.insert(DOCKER_CONTENT_DIGEST, header(digest.as_str().to_owned()));
    if let Some(subject) = &manifest.subject {
        headers.insert(OCI_SUBJECT, header(subject.digest.as_str().to_owned()));
    }
    if uri.query().is_some() {
        for tag in &tags {
            headers.append(OCI_TAG, header(tag.as_str().to_owned()));
        }
    }
    Ok(response)
}

/// `?tag=a&tag=b`: tags that are to name the manifest as well.
fn tags_in(uri: &Uri) -> Result<Vec<Tag>, Error> {
    /// The specification asks for at least ten.
    const MOST: usize = 100;
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let tags: Vec<Tag> =
        query.filter(|(key, _)| key == "tag").map(|(_, tag)| tag.parse()).collect::<Result<_, _>>()?;
    if tags.len() > MOST {
        let message = format!("{} tags are too many for one push; {MOST} are allowed", tags.len());
        return Err(Error::Request(ErrorCode::Unsupported, message));
    }
    Ok(tags)
}

pub(crate) async fn delete(
    State(app): State<App>,
    allowed: Allowed<ecr::BatchDeleteImage>,
    Last(reference): Last<Reference>,
) -> Result<StatusCode, Error> {
    if !app.settings.delete_enabled {
        return Err(Error::DeleteDisabled);
    }
    app.registry.delete_manifest(&allowed.repository, &reference, &allowed.asker.actor()).await?;
    Ok(StatusCode::ACCEPTED)
}
