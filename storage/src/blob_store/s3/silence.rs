//! How long a request waits while nothing moves: neither a byte of it nor an answer.
//!
//! A limit on the whole request would fail every part on a narrow line, and one on the answer alone is
//! counted from the beginning of the request. So it is counted from the last bytes that were taken. What the
//! kernel took and still has to send is not seen moving: after a long way there, it waits up to twice as long.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_sdk_s3::error::ConnectorError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

/// How many bytes of a body are handed on at a time: few, so that a narrow line is seen moving.
const PIECE: usize = 64 * 1024;

/// A client whose every request ends after `limit` without a sign of life.
#[derive(Debug)]
pub(super) struct Impatient {
    client: SharedHttpClient,
    limit: Duration,
}

impl Impatient {
    pub(super) fn around(client: SharedHttpClient, limit: Duration) -> SharedHttpClient {
        SharedHttpClient::new(Self { client, limit })
    }
}

impl HttpClient for Impatient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.client.http_connector(settings, components);
        SharedHttpConnector::new(Connector { connector, limit: self.limit })
    }
}

#[derive(Debug)]
struct Connector {
    connector: SharedHttpConnector,
    limit: Duration,
}

impl HttpConnector for Connector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let (progress, limit) = (Progress::default(), self.limit);
        if request.body().content_length() != Some(0) {
            let body = std::mem::replace(request.body_mut(), SdkBody::taken());
            *request.body_mut() = progress.watch(body);
        }
        let answer = self.connector.call(request);
        HttpConnectorFuture::new(async move {
            match select(answer, pin!(progress.silence(limit))).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => Err(ConnectorError::timeout(Silence(limit).into())),
            }
        })
    }
}

/// When a request began, and when it was last seen moving.
#[derive(Debug, Clone)]
struct Progress {
    begun: Instant,
    moved: Arc<Mutex<Instant>>,
}

impl Default for Progress {
    fn default() -> Self {
        let begun = Instant::now();
        Self { begun, moved: Arc::new(Mutex::new(begun)) }
    }
}

impl Progress {
    fn watch(&self, body: SdkBody) -> SdkBody {
        let progress = self.clone();
        body.map_preserve_contents(move |body| {
            SdkBody::from_body_1_x(Watched { body, rest: Bytes::new(), progress: progress.clone() })
        })
    }

    /// Returns when nothing has moved for so long, or twice that.
    async fn silence(&self, limit: Duration) {
        loop {
            let moved = *self.moved.lock();
            let end = moved + limit + (moved - self.begun).min(limit);
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

/// A request's body that tells when it is taken from.
struct Watched {
    body: SdkBody,
    /// What was got of it and not yet handed on.
    rest: Bytes,
    progress: Progress,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = aws_sdk_s3::error::BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => this.rest = bytes,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return other,
            }
        }
        *this.progress.moved.lock() = Instant::now();
        let piece = this.rest.split_to(PIECE.min(this.rest.len()));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let body = self.body.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(body.lower() + rest);
        hint
    }
}

/// A server that took nothing and answered nothing for so long.
#[derive(Debug)]
struct Silence(Duration);

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing moved for {} s or more", self.0.as_secs())
    }
}

impl std::error::Error for Silence {}
