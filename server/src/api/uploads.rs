//! `/v2/<name>/blobs/uploads/…`: pushing a blob.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use berth_oci::{Algorithm, Digest, RepositoryName};
use berth_storage::{UploadId, UploadStatus};
use http::header::{LOCATION, RANGE};
use http::{HeaderName, StatusCode, Uri};

use super::body::ChunkBody;
use super::{DOCKER_CONTENT_DIGEST, Last, header};
use crate::access::{Allowed, READ, ecr, refuse_evenly};
use crate::error::Error;
use crate::state::App;

const DOCKER_UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// What a `POST` asks for.
#[derive(Debug, Default)]
struct Query {
    mount: Option<Digest>,
    from: Option<RepositoryName>,
    digest: Option<Digest>,
    algorithm: Option<Algorithm>,
}

impl Query {
    fn parse(uri: &Uri) -> Result<Self, Error> {
        let mut query = Self::default();
        for (key, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match &*key {
                "mount" => query.mount = Some(value.parse()?),
                "from" if !value.is_empty() => query.from = Some(value.parse()?),
                "digest" => query.digest = Some(value.parse()?),
                "digest-algorithm" => query.algorithm = Some(value.parse()?),
                _ => {}
            }
        }
        Ok(query)
    }
}

pub(crate) async fn begin(
    State(app): State<App>,
    allowed: Allowed<ecr::InitiateLayerUpload>,
    uri: Uri,
    ChunkBody(chunk): ChunkBody,
) -> Result<Response, Error> {
    let (repository, actor) = (&allowed.repository, &allowed.asker.actor());
    let query = Query::parse(&uri)?;
    if let Some(digest) = &query.mount {
        if mount(&app, &allowed, digest, query.from.as_ref()).await? {
            return Ok(created(repository, digest));
        }
        // Whether there is no such blob or only none that they may read.
        refuse_evenly(allowed.began).await;
    }
    let (registry, creation) = (&app.registry, allowed.creation(&app));
    let algorithm = query.digest.as_ref().map(Digest::algorithm).or(query.algorithm);
    let begun = registry.begin_upload(repository, algorithm, creation, actor).await;
    let id = begun.map_err(|error| allowed.refusal(&app, error))?;
    if let Some(digest) = &query.digest {
        let finished = registry.finish_upload(repository, id, digest, chunk, creation, actor).await;
        if let Err(error) = finished {
            // Nobody knows this session's name, so nobody could go on with it.
            let _ = registry.cancel_upload(repository, id).await;
            return Err(allowed.refusal(&app, error));
        }
        return Ok(created(repository, digest));
    }
    Ok(progress(StatusCode::ACCEPTED, repository, UploadStatus { id, received: 0 }))
}

/// Mounts a blob from a repository that the caller may read: `from`, or any when none is named.
///
/// A token can't have been asked for a repository that the client doesn't know, so there it is the
/// identity's own right that counts.
async fn mount(
    app: &App,
    allowed: &Allowed<ecr::InitiateLayerUpload>,
    digest: &Digest,
    from: Option<&RepositoryName>,
) -> Result<bool, Error> {
    const PAGE: u64 = 100;
    let Allowed { repository: target, asker, .. } = allowed;
    let actor = &asker.actor();
    let mount = async |source: &RepositoryName| {
        let mounted = app.registry.mount(target, source, digest, allowed.creation(app), actor).await;
        mounted.map_err(|error| allowed.refusal(app, error))
    };
    if let Some(source) = from {
        return Ok(asker.may(app, READ, source).await? && mount(source).await?);
    }
    let mut last = String::new();
    loop {
        let holders = app.registry.holders(digest, &last, PAGE).await?;
        for source in &holders {
            if asker.identity_may(app, READ, source).await? {
                return mount(source).await;
            }
        }
        match holders.last() {
            Some(end) if holders.len() as u64 == PAGE => last = end.as_str().to_owned(),
            _ => return Ok(false),
        }
    }
}

pub(crate) async fn status(
    State(app): State<App>,
    allowed: Allowed<ecr::UploadLayerPart>,
    Last(id): Last<UploadId>,
) -> Result<Response, Error> {
    let status = app.registry.upload_status(&allowed.repository, id).await?;
    let status = status.ok_or(berth_storage::Error::UploadUnknown(id))?;
    Ok(progress(StatusCode::NO_CONTENT, &allowed.repository, status))
}

pub(crate) async fn append(
    State(app): State<App>,
    allowed: Allowed<ecr::UploadLayerPart>,
    Last(id): Last<UploadId>,
    ChunkBody(chunk): ChunkBody,
) -> Result<Response, Error> {
    let appended = app.registry.append_upload(&allowed.repository, id, chunk).await;
    let status = appended.map_err(|error| with_location(error, &allowed.repository, id))?;
    Ok(progress(StatusCode::ACCEPTED, &allowed.repository, status))
}

pub(crate) async fn finish(
    State(app): State<App>,
    allowed: Allowed<ecr::CompleteLayerUpload>,
    Last(id): Last<UploadId>,
    uri: Uri,
    ChunkBody(chunk): ChunkBody,
) -> Result<Response, Error> {
    let (repository, actor) = (&allowed.repository, &allowed.asker.actor());
    let Some(digest) = Query::parse(&uri)?.digest else {
        let message = "the final PUT of an upload needs ?digest=<digest>".to_owned();
        return Err(Error::Request(berth_oci::ErrorCode::DigestInvalid, message));
    };
    let finished =
        app.registry.finish_upload(repository, id, &digest, chunk, allowed.creation(&app), actor).await;
    finished.map_err(|error| match error {
        error @ berth_storage::Error::RepositoryUnknown(_) => allowed.refusal(&app, error),
        other => with_location(other, repository, id),
    })?;
    Ok(created(repository, &digest))
}

pub(crate) async fn cancel(
    State(app): State<App>,
    allowed: Allowed<ecr::UploadLayerPart>,
    Last(id): Last<UploadId>,
) -> Result<StatusCode, Error> {
    app.registry.cancel_upload(&allowed.repository, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The session's state is in its path, never in a query, for there are clients that drop that.
fn location(repository: &RepositoryName, id: UploadId) -> String {
    format!("/v2/{repository}/blobs/uploads/{id}")
}

/// Which bytes a session holds, as `Range` says it: `0-0` also when there are none.
pub(crate) fn held(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}

/// A client whose chunk is out of order learns where to go on.
fn with_location(error: berth_storage::Error, repository: &RepositoryName, id: UploadId) -> Error {
    match error {
        berth_storage::Error::ChunkOutOfOrder { first, received } => {
            Error::ChunkOutOfOrder { location: location(repository, id), first, received }
        }
        other => other.into(),
    }
}

fn progress(status: StatusCode, repository: &RepositoryName, upload: UploadStatus) -> Response {
    let mut response = status.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, header(location(repository, upload.id)));
    headers.insert(RANGE, header(held(upload.received)));
    headers.insert(DOCKER_UPLOAD_UUID, header(upload.id.to_string()));
    response
}

fn created(repository: &RepositoryName, digest: &Digest) -> Response {
    let mut response = StatusCode::CREATED.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, header(format!("/v2/{repository}/blobs/{digest}")));
    headers.insert(DOCKER_CONTENT_DIGEST, header(digest.as_str().to_owned()));
    response
}
