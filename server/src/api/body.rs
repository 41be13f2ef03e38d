//! Request bodies, streamed and bounded.

use axum::body::Body;
use axum::extract::FromRequest;
use berth_oci::{ChunkRange, MAX_MANIFEST_BYTES};
use berth_storage::Chunk;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::Request;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};

use crate::error::Error;
use crate::front_door::LivingBody;
use crate::state::App;

/// The bytes of an upload: slow ones live, silent ones don't.
pub(crate) type Incoming = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, String>> + Send>>;

/// A body that is part of a blob.
pub(crate) struct ChunkBody(pub(crate) Chunk<Incoming>);

impl FromRequest<App> for ChunkBody {
    type Rejection = Error;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, Error> {
        let text =
            |name| request.headers().get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let range = text(CONTENT_RANGE).map(str::parse::<ChunkRange>).transpose()?;
        let length = text(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let body = LivingBody::new(request.into_body(), app.settings.body_idle_timeout);
        let body = body.map(|piece| piece.map_err(|error| error.to_string()));
        Ok(Self(Chunk { range, length, body: Box::pin(body) }))
    }
}

/// A body that is a manifest, whole.
pub(crate) struct ManifestBody(pub(crate) Bytes);

impl FromRequest<App> for ManifestBody {
    type Rejection = Error;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, Error> {
        let too_large = || Error::ManifestTooLarge(MAX_MANIFEST_BYTES);
        let announced = http_body::Body::size_hint(request.body()).lower();
        if announced > MAX_MANIFEST_BYTES as u64 {
            return Err(too_large());
        }
        let mut body = LivingBody::new(request.into_body(), app.settings.body_idle_timeout);
        let mut content = BytesMut::new();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| {
                Error::Request(
                    berth_oci::ErrorCode::ManifestInvalid,
                    format!("the manifest broke off: {error}"),
                )
            })?;
            if content.len() + piece.len() > MAX_MANIFEST_BYTES {
                return Err(too_large());
            }
            content.extend_from_slice(&piece);
        }
        Ok(Self(content.freeze()))
    }
}
