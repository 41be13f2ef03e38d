//! Headers that tell browsers what they must not do with what is served here. Other clients pass
//! them over.

use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::config::Config;

/// What is pushed here may be anything: it is never guessed to be a page.
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// What is served here is no page: it loads nothing, runs nothing and stands in no frame.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const ONE_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// Kept by no cache.
pub(crate) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Whether browsers are told to come back by TLS only (RFC 6797).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transports {
    /// Clients come by TLS, here or at a proxy before it.
    TlsOnly,
    /// Clients may come as they like.
    Any,
}

impl Transports {
    pub(crate) fn of(config: &Config) -> Self {
        let https = config.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
        if https || config.tls.is_some() { Self::TlsOnly } else { Self::Any }
    }
}

/// Puts the headers into an answer; one that a handler has set stays.
pub(crate) fn add(mut response: Response, transports: Transports) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(NOSNIFF);
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    headers.entry(REFERRER_POLICY).or_insert(NO_REFERRER);
    match transports {
        Transports::TlsOnly => {
            headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(ONE_YEAR);
        }
        Transports::Any => {}
    }
    response
}

/// Keeps answers that hold secrets out of every cache.
pub(crate) fn no_store() -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(CACHE_CONTROL, NO_STORE)
}
