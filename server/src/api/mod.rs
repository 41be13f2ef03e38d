//! The OCI distribution API, `/v2/…`: each handler takes, asks and answers.

pub(crate) mod base;
pub(crate) mod blobs;
pub(crate) mod catalog;
pub(crate) mod extensions;
pub(crate) mod manifests;
pub(crate) mod referrers;
pub(crate) mod tags;
pub(crate) mod uploads;

mod body;
mod listing;
mod range;
mod redirect;

use axum::extract::FromRequestParts;
use berth_oci::ParseError;
use http::request::Parts;
use http::{HeaderName, HeaderValue};

use crate::error::Error;
use crate::pack_names::Packed;

const DOCKER_CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// What docker looks for in every answer, also in the first 401, before it believes that this is a registry.
pub(crate) const DOCKER_API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
pub(crate) const REGISTRY_2: HeaderValue = HeaderValue::from_static("registry/2.0");

/// The last segment of the path, parsed as a reference, a digest or a session.
pub(crate) struct Last<T>(pub(crate) T);

impl<T, S> FromRequestParts<S> for Last<T>
where
    T: std::str::FromStr<Err: IntoError>,
    S: Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let packed = parts.extensions.get::<Packed>().ok_or(Error::NoSuchPath)?;
        packed.last.parse().map(Self).map_err(IntoError::into_error)
    }
}

/// What is wrong with a path's last segment.
pub(crate) trait IntoError {
    fn into_error(self) -> Error;
}

impl IntoError for ParseError {
    fn into_error(self) -> Error {
        self.into()
    }
}

/// What is no UUID is no session that ever was.
impl IntoError for uuid::Error {
    fn into_error(self) -> Error {
        Error::MalformedSession
    }
}

/// A header whose value this program made itself.
fn header(value: String) -> HeaderValue {
    HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static(""))
}
