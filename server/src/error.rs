//! The only place that pairs an error with a status: outcomes below, HTTP here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use berth_oci::{ErrorBody, ErrorCode, ParseError, Reference};
use berth_storage::FaultKind;
use http::header::{CACHE_CONTROL, HeaderName, LOCATION, RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use tracing::error;

use crate::observe::RequestId;
use crate::security_headers::NO_STORE;

/// Why a request was not done, or a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A word that does not follow its grammar.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// An outcome of the store.
    #[error(transparent)]
    Storage(#[from] berth_storage::Error),
    /// A chunk that does not begin where its session ends; where that is.
    #[error("the chunk begins at {first} but the upload session holds {received} bytes")]
    ChunkOutOfOrder {
        /// The session's path.
        location: String,
        /// Where the chunk says it begins.
        first: u64,
        /// How many bytes the session holds.
        received: u64,
    },
    /// No valid credential, or one without the scope that this needs.
    #[error("{message}")]
    Unauthorized {
        /// The whole `WWW-Authenticate` header.
        challenge: String,
        /// One sentence.
        message: &'static str,
    },
    /// Too many wrong logins of late; how long to wait.
    #[error("too many wrong logins; wait {} s and try again", seconds(*.0))]
    TooManyGuesses(Duration),
    /// Policy refuses.
    #[error("{0}")]
    Denied(String),
    /// A word about users or policies that does not follow its grammar.
    #[error(transparent)]
    Words(#[from] berth_auth::ParseError),
    /// The request is not what it must be.
    #[error("{1}")]
    Request(ErrorCode, String),
    /// An upload session's id that is none, so no session ever had it.
    #[error("the upload session's id is malformed; begin a new upload")]
    MalformedSession,
    /// The manifest is larger than any may be.
    #[error("the manifest is larger than {0} bytes")]
    ManifestTooLarge(usize),
    /// A byte range that the blob doesn't have.
    #[error("the blob has {0} bytes; the range lies outside of them")]
    RangeNotSatisfiable(u64),
    /// There is no such path.
    #[error("there is nothing at this path")]
    NoSuchPath,
    /// The path doesn't take this method.
    #[error("this path does not take that method")]
    MethodNotAllowed,
    /// Deleting is switched off.
    #[error("deleting is switched off; an administrator can set delete.enabled")]
    DeleteDisabled,
    /// The store's secrets were sealed under another key.
    #[error("the master key is not the one that this store was made with; restore the right file")]
    WrongMasterKey,
    /// The key under which the store's secrets were sealed is gone.
    #[error("the master key {} is gone; this store's secrets are sealed under it, so restore it", .0.display())]
    MasterKeyLost(PathBuf),
    /// The store's master key is another machine's.
    #[error(
        "the secrets in {0} are sealed under a master key that is not here; copy registry/master-key from the \
         data folder of the first server, or name the file with [auth] master_key_file"
    )]
    MasterKeyElsewhere(String),
    /// Blobs on another machine's disk belong to the same database.
    #[error(
        "the blobs of this database are on the disk of another berth ({0}); stop that one, or keep blobs where \
         all can reach them"
    )]
    BlobsElsewhere(String),
    /// Nothing may be collected.
    #[error(
        "the database was restored to an older state than its blob store, so nothing is collected; \
         'berth admin gc --accept-restore' takes it for what is true"
    )]
    DatabaseRestored,
    /// Cryptography failed.
    #[error(transparent)]
    Crypto(#[from] berth_auth::Fault),
}

impl From<berth_storage::Fault> for Error {
    fn from(fault: berth_storage::Fault) -> Self {
        Self::Storage(fault.into())
    }
}

impl Error {
    /// No such manifest in the repository.
    pub(crate) fn manifest_unknown(reference: &Reference) -> Self {
        berth_storage::Error::ManifestUnknown(reference.clone()).into()
    }

    /// The status, and the specification's code.
    pub(crate) fn status(&self) -> (StatusCode, ErrorCode) {
        use ErrorCode as C;
        use StatusCode as S;
        match self {
            Self::Parse(error) => match error {
                ParseError::RepositoryName(_) | ParseError::Tag(_) | ParseError::TagPattern(_) => {
                    (S::BAD_REQUEST, C::NameInvalid)
                }
                ParseError::Digest(_) | ParseError::Algorithm(_) => (S::BAD_REQUEST, C::DigestInvalid),
                ParseError::ChunkRange(_) => (S::RANGE_NOT_SATISFIABLE, C::BlobUploadInvalid),
                ParseError::MediaType(_) | ParseError::Manifest(_) | ParseError::ImageConfig(_) => {
                    (S::BAD_REQUEST, C::ManifestInvalid)
                }
            },
            Self::Storage(error) => storage_status(error),
            Self::ChunkOutOfOrder { .. } => (S::RANGE_NOT_SATISFIABLE, C::BlobUploadInvalid),
            Self::Unauthorized { .. } => (S::UNAUTHORIZED, C::Unauthorized),
            Self::TooManyGuesses(_) => (S::TOO_MANY_REQUESTS, C::TooManyRequests),
            Self::Denied(_) => (S::FORBIDDEN, C::Denied),
            Self::Words(_) => (S::BAD_REQUEST, C::Unsupported),
            Self::Request(code, _) => (S::BAD_REQUEST, *code),
            Self::MalformedSession => (S::NOT_FOUND, C::BlobUploadUnknown),
            Self::ManifestTooLarge(_) => (S::PAYLOAD_TOO_LARGE, C::SizeInvalid),
            Self::RangeNotSatisfiable(_) => (S::RANGE_NOT_SATISFIABLE, C::SizeInvalid),
            Self::NoSuchPath => (S::NOT_FOUND, C::Unsupported),
            Self::MethodNotAllowed | Self::DeleteDisabled => (S::METHOD_NOT_ALLOWED, C::Unsupported),
            Self::DatabaseRestored => (S::CONFLICT, C::Unsupported),
            Self::WrongMasterKey
            | Self::MasterKeyLost(_)
            | Self::MasterKeyElsewhere(_)
            | Self::BlobsElsewhere(_)
            | Self::Crypto(_) => (S::INTERNAL_SERVER_ERROR, C::Unknown),
        }
    }
}

/// Whole seconds, and no less than the time to wait.
const fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + if wait.subsec_nanos() > 0 { 1 } else { 0 }
}

fn storage_status(error: &berth_storage::Error) -> (StatusCode, ErrorCode) {
    use ErrorCode as C;
    use StatusCode as S;
    use berth_storage::Error as E;
    match error {
        E::RepositoryUnknown(_) => (S::NOT_FOUND, C::NameUnknown),
        E::BlobUnknown(_) => (S::NOT_FOUND, C::BlobUnknown),
        E::BlobInUse { .. } => (S::METHOD_NOT_ALLOWED, C::Unsupported),
        E::ManifestUnknown(_) => (S::NOT_FOUND, C::ManifestUnknown),
        E::ManifestBlobUnknown(_) => (S::NOT_FOUND, C::ManifestBlobUnknown),
        E::UploadUnknown(_) => (S::NOT_FOUND, C::BlobUploadUnknown),
        E::UploadBusy => (S::CONFLICT, C::BlobUploadInvalid),
        E::ChunkOutOfOrder { .. } => (S::RANGE_NOT_SATISFIABLE, C::BlobUploadInvalid),
        E::LengthMismatch { .. } => (S::BAD_REQUEST, C::SizeInvalid),
        E::BlobTooLarge { .. } => (S::PAYLOAD_TOO_LARGE, C::SizeInvalid),
        E::DigestMismatch { .. } => (S::BAD_REQUEST, C::DigestInvalid),
        E::BodyBroken { .. } => (S::BAD_REQUEST, C::BlobUploadInvalid),
        // ECR's message; the specification has no code for it.
        E::TagImmutable { .. } => (S::CONFLICT, C::Denied),
        E::Exists(_) | E::PolicyAttached { .. } | E::RepositoryNotEmpty(_) => (S::CONFLICT, C::Unsupported),
        E::Missing(_) => (S::NOT_FOUND, C::Unsupported),
        E::Fault(fault) => match fault.kind() {
            FaultKind::Full => (S::INSUFFICIENT_STORAGE, C::Unknown),
            FaultKind::Unavailable => (S::SERVICE_UNAVAILABLE, C::Unknown),
            FaultKind::Other => (S::INTERNAL_SERVER_ERROR, C::Unknown),
        },
    }
}

/// The cause of a 5xx answer, on its way to the log.
#[derive(Clone)]
struct Cause(Arc<str>);

/// How a client is told of a failure, where that is not as the distribution specification does it.
#[derive(Clone, Copy)]
pub(crate) struct ToldBy(pub(crate) fn(StatusCode, String) -> Response);

fn told(status: StatusCode, message: String) -> Response {
    (status, Json(ErrorBody::one(ErrorCode::Unknown, message))).into_response()
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = self.status();
        let message = self.to_string();
        if status.is_server_error() {
            let mut response = status.into_response();
            response.extensions_mut().insert(Cause(message.into()));
            return response;
        }
        let mut response = (status, Json(ErrorBody::one(code, message))).into_response();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        };
        match &self {
            Self::Unauthorized { challenge, .. } => set(WWW_AUTHENTICATE, challenge),
            Self::TooManyGuesses(wait) => set(RETRY_AFTER, &seconds(*wait).to_string()),
            Self::RangeNotSatisfiable(size) => {
                set(http::header::CONTENT_RANGE, &format!("bytes */{size}"));
            }
            Self::ChunkOutOfOrder { location, received, .. } => {
                set(LOCATION, location);
                set(RANGE, &crate::api::uploads::held(*received));
            }
            _ => {}
        }
        response
    }
}

/// Logs the cause of a 5xx answer, once, and tells the client no more than where to find it.
pub(crate) fn hide_cause(response: Response, request: Option<&RequestId>) -> Response {
    if !response.status().is_server_error() {
        return response;
    }
    let Some(Cause(cause)) = response.extensions().get::<Cause>().cloned() else { return response };
    let request = request.map_or_else(|| "-".to_owned(), RequestId::to_string);
    error!(request, %cause, "a request failed");
    let status = response.status();
    let what = match status {
        StatusCode::INSUFFICIENT_STORAGE => "the registry's disk is full; an administrator must make room",
        StatusCode::SERVICE_UNAVAILABLE => "the registry's database does not answer now; try again",
        _ => "the registry failed; an administrator finds the cause in its log",
    };
    let ToldBy(told) = response.extensions().get().copied().unwrap_or(ToldBy(told));
    let mut hidden = told(status, format!("{what} (request {request})"));
    // A failure is over before a cache would forget it.
    hidden.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    hidden
}
