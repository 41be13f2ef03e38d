//! What a backup of a running server is made of: its database at one moment, a list of blobs, their bytes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path as InPath, Query, State};
use axum::response::{IntoResponse, Response};
use berth_oci::{Digest, ErrorCode};
use berth_storage::{ByteRange, Fault, Snapshot};
use bytes::BytesMut;
use futures_util::stream;
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use super::request::Manager;
use crate::error::Error;
use crate::state::App;

/// What the answer with a whole SQLite database is.
pub const SQLITE: &str = "application/vnd.sqlite3";
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
/// How many blobs one answer lists.
const MOST: u64 = 1000;
/// How many bytes are read at a time.
const PIECE: usize = 256 << 10;

/// One snapshot at a time.
static ONE: Mutex<()> = Mutex::const_new(());

/// Where a PostgreSQL stood, whose own tools keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatabasePoint {
    /// Its log sequence number: a backup that is to go with this one reaches at least so far.
    pub lsn: String,
}

/// A blob that a backup copies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupBlob {
    /// Its digest.
    pub digest: String,
    /// Its size, in bytes.
    pub size: u64,
    /// Where the blob store has it.
    pub location: String,
    /// Whether it is known to be lost or wrong.
    pub damaged: bool,
}

/// Which blobs are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// After this digest; left out: from the first on.
    #[serde(default)]
    after: String,
}

/// The whole database as it is at this moment; of PostgreSQL, where it stands.
#[utoipa::path(
    post, path = "/backup/database", operation_id = "back_up_database", tag = "backup",
    responses(
        (status = 200, description = "An SQLite database, or where PostgreSQL stands", content(
            (Vec<u8> = "application/vnd.sqlite3"), (DatabasePoint = "application/json"),
        )),
    ),
)]
pub(crate) async fn database(_: Manager, State(app): State<App>) -> Result<Response, Problem> {
    // Goes on when nobody waits for the answer any more: the file must go.
    let taking = tokio::spawn(take(app));
    let taken = taking.await.map_err(|error| Error::from(Fault::new("taking a snapshot", error)))??;
    let (file, path) = match taken {
        Taken::Database(file, path) => (file, path),
        Taken::Point(lsn) => return Ok(Json(DatabasePoint { lsn }).into_response()),
    };
    let size = file.metadata().await.map_err(|error| reading(&path, error))?.len();
    let mut response = Response::new(Body::from_stream(pieces(file)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(SQLITE));
    response.headers_mut().insert(CONTENT_LENGTH, size.into());
    Ok(response)
}

/// A snapshot, which takes no room any more once nobody reads it.
enum Taken {
    /// A database, and what it was called.
    Database(File, PathBuf),
    /// Where PostgreSQL stands.
    Point(String),
}

async fn take(app: App) -> Result<Taken, Error> {
    let _one = ONE.lock().await;
    let path = app.folder.path("snapshot.db");
    // What a killed server may have left.
    remove(&path)?;
    let taken = app.registry.snapshot(&path).await;
    let opened = File::open(&path).await;
    remove(&path)?;
    Ok(match taken? {
        Snapshot::Point(lsn) => Taken::Point(lsn),
        Snapshot::File => Taken::Database(opened.map_err(|error| reading(&path, error))?, path),
    })
}

/// Blobs in the order of their digests; the next page is after the last one's.
#[utoipa::path(
    get, path = "/backup/blobs", operation_id = "list_backup_blobs", tag = "backup",
    params(Asked),
    responses((status = 200, body = Vec<BackupBlob>, description = "The blobs, at most 1000")),
)]
pub(crate) async fn blobs(
    _: Manager,
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Vec<BackupBlob>>, Problem> {
    let refused = |error: QueryRejection| Error::Request(ErrorCode::Unsupported, error.body_text());
    let Query(Asked { after }) = asked.map_err(refused)?;
    let listed = app.registry.blobs_after(&after, MOST).await.map_err(Error::from)?;
    let blobs = listed.into_iter().map(|blob| BackupBlob {
        digest: blob.digest.to_string(),
        size: blob.size,
        location: blob.location.to_string(),
        damaged: blob.damaged,
    });
    Ok(Json(blobs.collect()))
}

/// The bytes of a blob, whichever repository holds it.
#[utoipa::path(
    get, path = "/backup/blobs/{digest}", operation_id = "read_backup_blob", tag = "backup",
    params(("digest" = String, Path, description = "The blob's digest")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream", description = "Its bytes"),
        (status = 404, description = "There is no such blob, or it is damaged"),
    ),
)]
pub(crate) async fn blob(
    _: Manager,
    State(app): State<App>,
    InPath(digest): InPath<String>,
) -> Result<Response, Problem> {
    let digest: Digest = digest.parse()?;
    let blob = app.registry.any_blob(&digest).await.map_err(Error::from)?;
    let range = ByteRange { first: 0, end: blob.size };
    let read = app.registry.read_blob(&blob, range).await.map_err(Error::from)?;
    let mut response = Response::new(Body::from_stream(read.bytes));
    response.headers_mut().insert(CONTENT_TYPE, OCTETS);
    response.headers_mut().insert(CONTENT_LENGTH, blob.size.into());
    Ok(response)
}

fn pieces(file: File) -> impl futures_util::Stream<Item = io::Result<bytes::Bytes>> {
    stream::try_unfold(file, |mut file| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        let read = file.read_buf(&mut piece).await?;
        Ok((read > 0).then(|| (piece.freeze(), file)))
    })
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Fault::new(format!("removing {}", path.display()), error).into())
        }
        _ => Ok(()),
    }
}

fn reading(path: &Path, error: io::Error) -> Error {
    Fault::new(format!("reading {}", path.display()), error).into()
}
