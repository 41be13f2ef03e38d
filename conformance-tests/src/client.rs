//! A plain HTTP client that follows nothing and hides nothing.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Body, Method, RequestBuilder, StatusCode};

use crate::content::{Blob, Manifest};

/// A client of one server, with one identity or none.
pub struct Client {
    http: reqwest::Client,
    url: String,
    authority: Option<reqwest::Certificate>,
    credentials: Option<(String, String)>,
    tokens: Mutex<HashMap<String, String>>,
}

/// One repository, through a client that asks tokens for it.
pub struct Repository<'c> {
    client: &'c Client,
    name: String,
    token: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    asked: String,
}

/// No connections yet to servers that this authority vouches for.
fn connections(authority: Option<&reqwest::Certificate>) -> reqwest::Client {
    let mut http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    if let Some(authority) = authority {
        http = http.tls_certs_only([authority.clone()]);
    }
    http.build().expect("a client")
}

impl Client {
    pub(crate) fn new(
        url: String,
        authority: Option<&reqwest::Certificate>,
        credentials: Option<(String, String)>,
    ) -> Self {
        let authority = authority.cloned();
        let http = connections(authority.as_ref());
        Self { http, url, authority, credentials, tokens: Mutex::default() }
    }

    /// A client of the administrator of the server at this URL.
    pub fn of_admin_at(url: &str) -> Self {
        let credentials = ("admin".to_owned(), crate::ADMIN_PASSWORD.to_owned());
        Self::new(url.to_owned(), None, Some(credentials))
    }

    /// The same client and its tokens, with new connections: those to a server that was killed are dead.
    #[must_use]
    pub fn reconnected(&self) -> Self {
        Self {
            http: connections(self.authority.as_ref()),
            url: self.url.clone(),
            authority: self.authority.clone(),
            credentials: self.credentials.clone(),
            tokens: Mutex::new(self.tokens.lock().expect("no panic").clone()),
        }
    }

    /// A request with no credentials.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with('/') { format!("{}{path}", self.url) } else { path.to_owned() };
        self.http.request(method, url)
    }

    /// A request with the user's name and password.
    pub fn basic(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.request(method, path);
        let Some((name, password)) = &self.credentials else { return request };
        request.basic_auth(name, Some(password))
    }

    /// GET, with name and password.
    pub async fn get(&self, path: &str) -> Answer {
        self.basic(Method::GET, path).answer().await
    }

    /// A token for these scopes, as docker gets it.
    pub async fn token(&self, scopes: &[&str]) -> String {
        let key = scopes.join(" ");
        if let Some(token) = self.tokens.lock().expect("no panic").get(&key) {
            return token.clone();
        }
        let service = self.service().await;
        let query = std::iter::once(("service", service.as_str()));
        let query: Vec<_> = query.chain(scopes.iter().map(|scope| ("scope", *scope))).collect();
        let answer = self.basic(Method::GET, "/token").query(&query).answer().await.assert(200);
        let token = answer.json()["token"].as_str().expect("a token").to_owned();
        self.tokens.lock().expect("no panic").insert(key, token.clone());
        token
    }

    /// The service that the challenge names.
    async fn service(&self) -> String {
        let answer = self.request(Method::GET, "/v2/").answer().await.assert(401);
        let challenge = answer.header("www-authenticate");
        let (_, rest) = challenge.split_once("service=\"").expect("a service in the challenge");
        rest.split('"').next().expect("a quoted service").to_owned()
    }

    /// A repository, with a token for all that can be done in it.
    pub async fn repository(&self, name: &str) -> Repository<'_> {
        self.repository_and(name, &[]).await
    }

    /// The same, with a token that can also pull from other repositories.
    pub async fn repository_and(&self, name: &str, sources: &[&str]) -> Repository<'_> {
        let mut scopes = vec![format!("repository:{name}:pull,push,delete")];
        scopes.extend(sources.iter().map(|source| format!("repository:{source}:pull")));
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let token = Some(self.token(&scopes).await);
        Repository { client: self, name: name.to_owned(), token }
    }
}

impl Repository<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A request to a path below the repository, such as `/tags/list`, or to a whole path such as a Location.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let below = ["/blobs/", "/manifests/", "/tags/", "/referrers/", "/_oci/"];
        let is_below = below.iter().any(|start| path.starts_with(start));
        let path = if is_below { format!("/v2/{}{path}", self.name) } else { path.to_owned() };
        let request = self.client.request(method, &path);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// GET of a path below the repository.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).answer().await
    }

    /// HEAD of a path below the repository.
    pub async fn head(&self, path: &str) -> Answer {
        self.request(Method::HEAD, path).answer().await
    }

    /// DELETE of a path below the repository.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path).answer().await
    }

    /// PUT of a manifest under a tag or digest.
    pub async fn put_manifest(&self, reference: &str, manifest: &Manifest) -> Answer {
        let request = self.request(Method::PUT, &format!("/manifests/{reference}"));
        request.header("content-type", &manifest.media_type).body(manifest.bytes.clone()).answer().await
    }

    /// Pushes a manifest under a tag or digest and fails the test unless it is taken.
    pub async fn push_manifest(&self, reference: &str, manifest: &Manifest) -> Answer {
        self.put_manifest(reference, manifest).await.assert(201)
    }

    /// Opens an upload session and returns its Location.
    pub async fn open_upload(&self) -> String {
        let answer = self.request(Method::POST, "/blobs/uploads/").answer().await.assert(202);
        answer.header("location").to_owned()
    }

    /// Sends a chunk, `first` being the offset that Content-Range says.
    pub async fn patch(&self, session: &str, first: usize, bytes: &[u8]) -> Answer {
        let last = first + bytes.len() - 1;
        let request = self.request(Method::PATCH, session).header("content-range", format!("{first}-{last}"));
        let request = request.header("content-type", "application/octet-stream");
        request.body(bytes.to_vec()).answer().await
    }

    /// The last PUT of an upload session.
    pub async fn finish(&self, session: &str, digest: &str, bytes: impl Into<Body>) -> Answer {
        let request = self.request(Method::PUT, session).query(&[("digest", digest)]);
        request.header("content-type", "application/octet-stream").body(bytes).answer().await
    }

    /// Pushes a blob by POST and PUT and fails the test unless it is taken.
    pub async fn push_blob(&self, blob: &Blob) {
        let session = self.open_upload().await;
        self.finish(&session, &blob.digest, blob.bytes.clone()).await.assert(201);
    }

    /// Pushes a small image with one layer under `tag`: its blobs, then its manifest.
    pub async fn push_image(&self, tag: &str, layer: &Blob) -> Manifest {
        let config = Blob::config();
        self.push_blob(&config).await;
        self.push_blob(layer).await;
        let image = Manifest::image(&config, &[layer]);
        self.push_manifest(tag, &image).await;
        image
    }
}

impl Answer {
    /// Fails the test unless the status is this one.
    #[track_caller]
    pub fn assert(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self}");
        self
    }

    /// Fails the test unless this is a refusal with exactly this status and one error of this code.
    #[track_caller]
    pub fn assert_error(self, status: u16, code: &str) -> Self {
        let answer = self.assert(status);
        assert_eq!(answer.header("content-type"), "application/json", "{answer}");
        let errors = &answer.json()["errors"];
        assert_eq!(errors.as_array().map(Vec::len), Some(1), "one error: {answer}");
        assert_eq!(errors[0]["code"], code, "{answer}");
        assert!(errors[0]["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
        answer
    }

    /// The one header of this name; fails the test when it is missing or there twice.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else { panic!("no {name}: {self}") };
        assert!(values.next().is_none(), "{name} twice: {self}");
        value.to_str().unwrap_or_else(|error| panic!("{name}: {error}: {self}"))
    }

    /// The header of this name, if it is there.
    pub fn find_header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header of text"))
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("a body of text")
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} answered {}", self.asked, self.status)?;
        for (name, value) in &self.headers {
            writeln!(out, "{name}: {}", value.to_str().unwrap_or("(not text)"))?;
        }
        match std::str::from_utf8(&self.body) {
            Ok(text) if text.len() < 4096 => write!(out, "{text}"),
            _ => write!(out, "({} bytes)", self.body.len()),
        }
    }
}

/// Sends a request and reads its answer to the end.
pub trait Ask {
    /// Sends the request; fails the test when the connection breaks.
    fn answer(self) -> impl Future<Output = Answer>;
}

impl Ask for RequestBuilder {
    async fn answer(self) -> Answer {
        let (client, request) = self.build_split();
        let request = request.expect("a request");
        let asked = format!("{} {}", request.method(), request.url());
        let response = client.execute(request).await.unwrap_or_else(|error| panic!("{asked}: {error:?}"));
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap_or_else(|error| panic!("{asked}: {error:?}"));
        Answer { status, headers, body, asked }
    }
}

/// A body as clients send one: they read on, and see an early answer, between two pieces.
pub fn in_pieces(bytes: &Bytes) -> reqwest::Body {
    let pieces: Vec<_> =
        bytes.chunks(64 << 10).map(|piece| Ok::<_, std::io::Error>(bytes.slice_ref(piece))).collect();
    reqwest::Body::wrap_stream(futures_util::stream::iter(pieces))
}
