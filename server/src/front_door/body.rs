//! A request's body as a stream that may be slow, but not dead.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body::Body;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::BoxError;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// No byte came for as long as `limits.body_idle_timeout` says.
    #[error("no byte of the body came for {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// The connection broke, or the client did not keep to HTTP.
    #[error("the body ended early: {0}")]
    Broken(BoxError),
}

/// The bytes of a body; fails when the client is silent for too long while somebody waits for it.
/// However slowly they come, bytes that come keep it alive.
pub struct LivingBody<B> {
    body: B,
    idle_timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl<B> LivingBody<B> {
    /// Bounds the silence within a body.
    pub fn new(body: B, idle_timeout: Duration) -> Self {
        Self { body, idle_timeout, timer: None, waiting: false }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin> Stream for LivingBody<B> {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        while let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(BodyError::Broken(error.into())))),
                // Empty frames are no sign of life, and trailers are not bytes.
                Some(Ok(Err(_))) => {}
                Some(Ok(Ok(data))) if data.is_empty() => {}
                Some(Ok(Ok(data))) => {
                    this.waiting = false;
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
        if !this.waiting {
            this.waiting = true;
            let deadline = Instant::now() + this.idle_timeout;
            match &mut this.timer {
                Some(timer) => timer.as_mut().reset(deadline),
                None => this.timer = Some(Box::pin(sleep_until(deadline))),
            }
        }
        let Some(timer) = &mut this.timer else { return Poll::Pending };
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyError::Silent(this.idle_timeout))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}
