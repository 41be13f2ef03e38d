//! A registry that does what a test tells it to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use berth_oci::Digest;
use futures_util::stream;
use serde_json::Value;

use crate::image::{self, Layer, digest};

/// A registry on loopback, gone with the test.
pub(crate) struct Fake {
    pub(crate) host: String,
    state: Arc<Mutex<Kept>>,
}

/// What it holds, and how it misbehaves.
#[derive(Default)]
struct Kept {
    blobs: HashMap<String, Vec<u8>>,
    manifests: HashMap<String, (String, Vec<u8>)>,
    /// How many times each answer with a blob breaks off, and after how many bytes.
    breaks: (u32, usize),
    /// Whether it takes no notice of Range.
    ignores_ranges: bool,
    asked: Vec<Asked>,
    /// Uploads that have begun: what has come.
    uploads: Vec<Vec<u8>>,
    /// How many PATCHes break off, and after how many bytes.
    upload_breaks: (u32, usize),
    /// Repositories from which can be mounted.
    mounts: Vec<String>,
    /// Whether only those who log in are let in.
    wants_login: bool,
    /// Another host, which blobs are to be fetched from and sent to.
    elsewhere: Option<String>,
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(Kept::default()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, state }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.state.lock().unwrap()
    }

    pub(crate) fn put_blob(&self, bytes: &[u8]) -> Digest {
        self.put_blob_as(&digest(bytes), bytes);
        digest(bytes)
    }

    /// Answers with `bytes` when it is asked for `digest`.
    pub(crate) fn put_blob_as(&self, digest: &Digest, bytes: &[u8]) {
        self.kept().blobs.insert(digest.to_string(), bytes.to_vec());
    }

    pub(crate) fn put_manifest(&self, tag: &str, manifest: &Value) -> Digest {
        let bytes = manifest.to_string().into_bytes();
        let kind = manifest["mediaType"].as_str().unwrap_or(image::MANIFEST).to_owned();
        let digest = digest(&bytes);
        self.kept().manifests.insert(tag.to_owned(), (kind.clone(), bytes.clone()));
        self.kept().manifests.insert(digest.to_string(), (kind, bytes));
        digest
    }

    /// An image of these layers under `tag`.
    pub(crate) fn put_image(&self, tag: &str, layers: &[Layer]) -> Digest {
        let config = image::config(layers).to_string().into_bytes();
        self.put_blob(&config);
        for layer in layers {
            self.put_blob(&layer.packed);
        }
        self.put_manifest(tag, &image::manifest(&config, layers))
    }

    pub(crate) fn break_answers(&self, times: u32, after: usize) {
        self.kept().breaks = (times, after);
    }

    pub(crate) fn break_uploads(&self, times: u32, after: usize) {
        self.kept().upload_breaks = (times, after);
    }

    pub(crate) fn ignore_ranges(&self) {
        self.kept().ignores_ranges = true;
    }

    pub(crate) fn allow_mounts_from(&self, repository: &str) {
        self.kept().mounts.push(repository.to_owned());
    }

    pub(crate) fn want_login(&self) {
        self.kept().wants_login = true;
    }

    /// Begins an upload, as if somebody had asked for one.
    pub(crate) fn begin_upload(&self) {
        self.kept().uploads.push(Vec::new());
    }

    pub(crate) fn send_elsewhere(&self, host: &str) {
        self.kept().elsewhere = Some(host.to_owned());
    }

    pub(crate) fn has_blob(&self, digest: &Digest) -> bool {
        self.kept().blobs.contains_key(digest.as_str())
    }

    pub(crate) fn manifest(&self, tag: &str) -> Option<Vec<u8>> {
        self.kept().manifests.get(tag).map(|(_, bytes)| bytes.clone())
    }

    /// What it was asked, of this method and with this in its path.
    pub(crate) fn asked(&self, method: &Method, part: &str) -> Vec<Asked> {
        let kept = self.kept();
        kept.asked
            .iter()
            .filter(|asked| asked.method == *method && asked.path.contains(part))
            .cloned()
            .collect()
    }
}

async fn answer(State(state): State<Arc<Mutex<Kept>>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    state.lock().unwrap().asked.push(Asked {
        method: parts.method.clone(),
        path: parts.uri.to_string(),
        range: text("range"),
        authorization: text("authorization"),
    });
    let path = parts.uri.path();
    if state.lock().unwrap().wants_login && text("authorization").is_none() {
        return (StatusCode::UNAUTHORIZED, [("www-authenticate", r#"Basic realm="test""#)]).into_response();
    }
    if path == "/v2/" {
        return StatusCode::OK.into_response();
    }
    if path.contains("/blobs/uploads/") {
        return upload(&state, &parts.method, &parts.uri, &parts.headers, body).await;
    }
    let last = path.rsplit('/').next().unwrap_or_default().to_owned();
    match (path.contains("/manifests/"), &parts.method) {
        (true, &Method::PUT) => {
            let bytes = axum::body::to_bytes(body, 1 << 22).await.unwrap();
            let kind = text("content-type").unwrap_or_default();
            let digest = digest(&bytes).to_string();
            let mut kept = state.lock().unwrap();
            kept.manifests.insert(last, (kind.clone(), bytes.to_vec()));
            kept.manifests.insert(digest.clone(), (kind, bytes.to_vec()));
            (StatusCode::CREATED, [("docker-content-digest", digest)]).into_response()
        }
        (true, _) => match state.lock().unwrap().manifests.get(&last) {
            None => StatusCode::NOT_FOUND.into_response(),
            Some((kind, bytes)) => ([("content-type", kind.clone())], bytes.clone()).into_response(),
        },
        (false, &Method::HEAD) => match state.lock().unwrap().blobs.contains_key(&last) {
            true => StatusCode::OK.into_response(),
            false => StatusCode::NOT_FOUND.into_response(),
        },
        (false, _) if state.lock().unwrap().elsewhere.is_some() => {
            let host = state.lock().unwrap().elsewhere.clone().unwrap();
            (StatusCode::TEMPORARY_REDIRECT, [("location", format!("http://{host}{path}"))]).into_response()
        }
        (false, _) => blob(&mut state.lock().unwrap(), &last, text("range").as_deref()),
    }
}

fn blob(kept: &mut Kept, digest: &str, range: Option<&str>) -> Response {
    let Some(bytes) = kept.blobs.get(digest).cloned() else { return StatusCode::NOT_FOUND.into_response() };
    let first =
        range.and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse::<usize>().ok());
    let (status, bytes) = match first.filter(|_| !kept.ignores_ranges) {
        Some(first) => (StatusCode::PARTIAL_CONTENT, bytes.get(first..).unwrap_or_default().to_vec()),
        None => (StatusCode::OK, bytes),
    };
    let length = [("content-length", bytes.len().to_string())];
    if kept.breaks.0 > 0 && bytes.len() > kept.breaks.1 {
        kept.breaks.0 -= 1;
        let part = Bytes::copy_from_slice(&bytes[..kept.breaks.1]);
        let pieces = [Ok(part), Err(std::io::Error::other("broken off"))];
        // The pieces must leave one by one, or what came before the break is lost with it.
        let slowly = stream::unfold(pieces.into_iter(), |mut pieces| async {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            pieces.next().map(|piece| (piece, pieces))
        });
        return (status, length, Body::from_stream(slowly)).into_response();
    }
    (status, length, bytes).into_response()
}

async fn upload(
    state: &Mutex<Kept>,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let query: HashMap<String, String> = uri
        .query()
        .map(|query| form_urlencoded::parse(query.as_bytes()).into_owned().collect())
        .unwrap_or_default();
    let number = uri.path().rsplit('/').next().and_then(|last| last.parse::<usize>().ok());
    let location = |number: usize| [("location", format!("/v2/team/app/blobs/uploads/{number}"))];
    match (method, number) {
        (&Method::POST, _) => {
            let mut kept = state.lock().unwrap();
            if query.get("from").is_some_and(|from| kept.mounts.contains(from)) {
                return StatusCode::CREATED.into_response();
            }
            if let Some(host) = &kept.elsewhere {
                let location = format!("http://{host}/v2/team/app/blobs/uploads/0");
                return (StatusCode::ACCEPTED, [("location", location)]).into_response();
            }
            kept.uploads.push(Vec::new());
            (StatusCode::ACCEPTED, location(kept.uploads.len() - 1)).into_response()
        }
        (&Method::GET, Some(number)) => {
            let last = state.lock().unwrap().uploads[number].len().saturating_sub(1);
            (StatusCode::NO_CONTENT, location(number), [("range", format!("0-{last}"))]).into_response()
        }
        (&Method::PATCH, Some(number)) => {
            let first = headers
                .get("content-range")
                .and_then(|range| range.to_str().ok()?.split('-').next()?.parse().ok());
            if first.unwrap_or(0) != state.lock().unwrap().uploads[number].len() {
                return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            }
            let bytes = axum::body::to_bytes(body, 1 << 30).await.unwrap();
            let mut kept = state.lock().unwrap();
            if kept.upload_breaks.0 > 0 && bytes.len() > kept.upload_breaks.1 {
                kept.upload_breaks.0 -= 1;
                let part = bytes[..kept.upload_breaks.1].to_vec();
                kept.uploads[number].extend(part);
                return StatusCode::BAD_GATEWAY.into_response();
            }
            kept.uploads[number].extend_from_slice(&bytes);
            (StatusCode::ACCEPTED, location(number)).into_response()
        }
        (&Method::PUT, Some(number)) => {
            let mut kept = state.lock().unwrap();
            let bytes = kept.uploads[number].clone();
            if query.get("digest").map(String::as_str) != Some(digest(&bytes).as_str()) {
                return StatusCode::BAD_REQUEST.into_response();
            }
            kept.blobs.insert(digest(&bytes).to_string(), bytes);
            StatusCode::CREATED.into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
