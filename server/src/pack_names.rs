//! Repository names contain slashes, which a router can't match in the middle of a path: so they are
//! packed into one segment first.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use berth_oci::{ParseError, RepositoryName};
use http::Request;
use percent_encoding::percent_decode_str;
use tower::Service;

use crate::early_refusal::LeftOver;
use crate::error::hide_cause;
use crate::observe::RequestId;

/// What a path of the registry says: a repository's name, and what follows it.
#[derive(Debug, Clone)]
pub struct Packed {
    /// The repository, or what is wrong with its name.
    pub name: Result<RepositoryName, ParseError>,
    /// The last segment, decoded: a tag, a digest, a session; empty where the path ends with a word
    /// of the specification.
    pub last: Box<str>,
}

/// Splits `/v2/<name>/…` from the right, for `a/manifests/b/tags/list` is a legal path: first
/// decode, then validate. Gives the packed path.
fn pack(path: &str) -> Option<(String, Packed)> {
    let decoded = percent_decode_str(path.strip_prefix("/v2/")?).decode_utf8().ok()?;
    let (name, rest, last) = split(&decoded)?;
    let packed = Packed { name: name.parse(), last: last.into() };
    // A packed path only chooses the route; handlers read what it says from `Packed`.
    Some((format!("/v2/-{rest}"), packed))
}

fn split(path: &str) -> Option<(&str, &'static str, &str)> {
    for (words, route) in [
        ("/tags/list", "/tags/list"),
        ("/_oci/ext/discover", "/_oci/ext/discover"),
        ("/blobs/uploads/", "/blobs/uploads/"),
        ("/blobs/uploads", "/blobs/uploads/"),
    ] {
        if let Some(name) = path.strip_suffix(words) {
            return Some((name, route, ""));
        }
    }
    let (before, last) = path.rsplit_once('/')?;
    for (words, route) in [
        ("/blobs/uploads", "/blobs/uploads/-"),
        ("/manifests", "/manifests/-"),
        ("/blobs", "/blobs/-"),
        ("/referrers", "/referrers/-"),
    ] {
        if let Some(name) = before.strip_suffix(words) {
            return Some((name, route, last));
        }
    }
    None
}

/// Packs names before routing, and hides the causes of failures after it.
#[derive(Clone)]
pub struct PackNames<S>(pub S);

impl<S, B> Service<Request<B>> for PackNames<S>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send + 'static>,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<tower::BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let left_over = (!request.body().is_end_stream()).then(LeftOver::default);
        let mut request = request.map(|body| match &left_over {
            Some(left_over) => left_over.lend(Body::new(body)),
            None => Body::empty(),
        });
        if let Some((path, packed)) = pack(request.uri().path()) {
            let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
            if let Ok(uri) = format!("{path}{query}").parse() {
                *request.uri_mut() = uri;
            }
            request.extensions_mut().insert(packed);
        }
        let id = request.extensions().get::<RequestId>().cloned();
        let answer = self.0.call(request);
        Box::pin(async move {
            let Ok(response) = answer.await;
            if let Some(left_over) = left_over {
                left_over.drain().await;
            }
            Ok(hide_cause(response, id.as_ref()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_from_the_right() {
        for (path, name, route, last) in [
            ("/v2/a/manifests/latest", "a", "/v2/-/manifests/-", "latest"),
            ("/v2/a/manifests/b/tags/list", "a/manifests/b", "/v2/-/tags/list", ""),
            ("/v2/a/blobs/uploads/manifests/x", "a/blobs/uploads", "/v2/-/manifests/-", "x"),
            ("/v2/a/b/blobs/uploads/", "a/b", "/v2/-/blobs/uploads/", ""),
            ("/v2/a%2Fb/blobs/uploads", "a/b", "/v2/-/blobs/uploads/", ""),
            ("/v2/a/blobs/uploads/u", "a", "/v2/-/blobs/uploads/-", "u"),
            ("/v2/a/blobs/sha256:00", "a", "/v2/-/blobs/-", "sha256:00"),
            ("/v2/a/referrers/sha256%3a00", "a", "/v2/-/referrers/-", "sha256:00"),
            ("/v2/a/_oci/ext/discover", "a", "/v2/-/_oci/ext/discover", ""),
        ] {
            let (packed_path, packed) = pack(path).unwrap();
            assert_eq!(packed.name.unwrap().as_str(), name, "{path}");
            assert_eq!((packed_path.as_str(), &*packed.last), (route, last), "{path}");
        }
    }

    #[test]
    fn a_name_that_climbs_is_no_name() {
        for path in
            ["/v2/../manifests/x", "/v2/a/%2e%2e/manifests/x", "/v2/a//manifests/x", "/v2/A/tags/list"]
        {
            assert!(pack(path).unwrap().1.name.is_err(), "{path}");
        }
        assert!(pack("/v2/").is_none());
        assert!(pack("/v2/_catalog").is_none());
        assert!(pack("/v2/a%ff/manifests/x").is_none());
    }
}
