//! Bodies that are counted on their way.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Method;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Record, Route};
use crate::metrics::Metrics;

/// Counts a request's bytes; reports them when it is dropped.
pub(super) struct Tally {
    metrics: Arc<Metrics>,
    route: Route,
    method: Method,
    bytes: u64,
}

impl Tally {
    pub(super) fn new(metrics: Arc<Metrics>, route: Route, method: Method) -> Self {
        Self { metrics, route, method, bytes: 0 }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.metrics.received(self.route, &self.method, self.bytes);
    }
}

pin_project! {
    /// A request's body, counted.
    pub struct RequestBody<B> {
        #[pin]
        body: B,
        tally: Option<Tally>,
    }
}

impl<B: Body> RequestBody<B> {
    pub(super) fn new(body: B, tally: Tally) -> Self {
        let tally = (!body.is_end_stream()).then_some(tally);
        Self { body, tally }
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let (Some(tally), Some(Ok(frame))) = (this.tally, &frame) {
            tally.bytes += frame.data_ref().map_or(0, bytes::Buf::remaining) as u64;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// An answer's body, counted; the request is noted when it is dropped.
    pub struct AnswerBody<B> {
        #[pin]
        body: B,
        record: Option<Record>,
    }
}

impl<B> AnswerBody<B> {
    pub(super) fn new(body: B, record: Option<Record>) -> Self {
        Self { body, record }
    }
}

impl<B: Body<Data = Bytes>> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        let Some(record) = this.record else { return Poll::Ready(frame) };
        if let Some(Ok(frame)) = &frame {
            record.sent(frame.data_ref().map_or(0, bytes::Buf::remaining));
        }
        // A connection may not ask for more once it knows that this was all.
        if frame.is_none() || this.body.is_end_stream() {
            record.complete();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
