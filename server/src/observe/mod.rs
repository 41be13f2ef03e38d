//! What is noted of every request: an id, metrics, and one line of the access log.
//!
//! A layer around the whole application. It never sees tokens, bodies or query strings in what it
//! notes, and on the hot path (a read that succeeds) it logs nothing.

mod body;
mod record;
mod request_id;
mod route;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::HeaderName;
use http::{Request, Response};
use http_body::Body;
use ipnet::IpNet;
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tracing::{Span, debug_span, info_span};

pub use body::{AnswerBody, RequestBody};
use record::Record;
pub use request_id::RequestId;
pub(crate) use route::Route;

use crate::front_door::Connection;
use crate::metrics::Metrics;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Who asked, for the access log: a response carries it as an extension if somebody was recognised.
#[derive(Debug, Clone)]
pub struct LoggedIdentity(pub Arc<str>);

/// Where a request comes from: an extension of every request, see [`Observe`].
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// Puts [`Observe`] around a service.
#[derive(Clone)]
pub struct ObserveLayer {
    metrics: Arc<Metrics>,
    trusted_proxies: Arc<[IpNet]>,
}

impl ObserveLayer {
    /// `trusted_proxies` are those whose word on who the client is goes into the log.
    pub fn new(metrics: Arc<Metrics>, trusted_proxies: &[IpNet]) -> Self {
        Self { metrics, trusted_proxies: trusted_proxies.into() }
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, service: S) -> Observe<S> {
        Observe { service, layer: self.clone() }
    }
}

/// A service whose requests are noted.
#[derive(Clone)]
pub struct Observe<S> {
    service: S,
    layer: ObserveLayer,
}

impl<S, In, Out> Service<Request<In>> for Observe<S>
where
    S: Service<Request<RequestBody<In>>, Response = Response<Out>>,
    In: Body,
    Out: Body<Data = Bytes>,
{
    type Response = Response<AnswerBody<Out>>;
    type Error = S::Error;
    type Future = Observed<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<In>) -> Self::Future {
        let id = RequestId::take_or_make(request.headers().get(X_REQUEST_ID));
        let client = self.client(&request);
        request.extensions_mut().insert(id.clone());
        if let Some(client) = client {
            request.extensions_mut().insert(ClientAddress(client));
        }
        let is_read = request.method().is_safe();
        let span = if is_read { debug_span!("request", %id) } else { info_span!("request", %id) };
        let record = Record::new(self.layer.metrics.clone(), &request, client, id);
        let tally = (!request.body().is_end_stream()).then(|| record.tally());
        let service = span.in_scope(|| self.service.call(request.map(|body| RequestBody::new(body, tally))));
        Observed { service, record: Some(record), span }
    }
}

impl<S> Observe<S> {
    /// The peer, or the client that trusted proxies say they speak for: the last address in
    /// `X-Forwarded-For` that is none of theirs.
    fn client<B>(&self, request: &Request<B>) -> Option<IpAddr> {
        let connection = request.extensions().get::<Connection>()?;
        let mut client = connection.peer.ip().to_canonical();
        if !connection.proxied {
            return Some(client);
        }
        let values = request.headers().get_all("x-forwarded-for");
        let mut hops =
            values.iter().rev().filter_map(|value| value.to_str().ok()).flat_map(|value| value.rsplit(','));
        while self.layer.trusted_proxies.iter().any(|network| network.contains(&client))
            && let Some(Ok(hop)) = hops.next().map(|hop| hop.trim().parse::<IpAddr>())
        {
            client = hop.to_canonical();
        }
        Some(client)
    }
}

pin_project! {
    /// The answer to come, and what is known of the request.
    pub struct Observed<F> {
        #[pin]
        service: F,
        record: Option<Record>,
        span: Span,
    }
}

impl<F, Out, E> Future for Observed<F>
where
    F: Future<Output = Result<Response<Out>, E>>,
    Out: Body<Data = Bytes>,
{
    type Output = Result<Response<AnswerBody<Out>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let entered = this.span.enter();
        let mut response = ready!(this.service.poll(cx))?;
        drop(entered);
        if let Some(record) = this.record {
            record.answered(&mut response);
            response.headers_mut().insert(X_REQUEST_ID, record.id().header());
        }
        Poll::Ready(Ok(response.map(|body| AnswerBody::new(body, this.record.take()))))
    }
}
