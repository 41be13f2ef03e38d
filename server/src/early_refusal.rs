//! An answer that comes before the request's body was read.
//!
//! Clients such as docker write their whole body before they read the answer, and say 'broken pipe'
//! when the connection is closed meanwhile. So what is left of the body is read and thrown away,
//! within bounds.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use tokio::time::timeout;

/// What is thrown away at most. A manifest that is just too large (4 MiB and a bit) must fit: some clients
/// miss the answer when the connection is closed while they still write.
const MOST_BYTES: usize = 8 << 20;
const MOST_TIME: Duration = Duration::from_secs(2);

/// Where a body comes back to when whoever had it drops it unread.
#[derive(Clone, Default)]
pub(crate) struct LeftOver(Arc<Mutex<Option<Body>>>);

impl LeftOver {
    /// The body as a handler gets it.
    pub(crate) fn lend(&self, body: Body) -> Body {
        Body::new(Lent { body: Some(body), back: self.clone() })
    }

    /// Reads and throws away what nobody read.
    pub(crate) async fn drain(self) {
        let Some(mut body) = self.0.lock().take() else { return };
        let mut left = MOST_BYTES;
        let draining = async {
            while let Some(Ok(frame)) = body.frame().await {
                let read = frame.data_ref().map_or(0, Bytes::len);
                left = left.saturating_sub(read);
                if left == 0 {
                    return;
                }
            }
        };
        // Whatever comes of it, the answer goes out next.
        let _ = timeout(MOST_TIME, draining).await;
    }
}

struct Lent {
    body: Option<Body>,
    back: LeftOver,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.back.0.lock() = Some(body);
        }
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        // What ended, or broke, has nothing left to be read.
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
