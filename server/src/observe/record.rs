//! What is known of one request, and the note made of it when it is over.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request, Response, Uri};
use http_body::Body;
use tracing::{Level, enabled, event};

use super::body::Tally;
use super::{LoggedIdentity, RequestId, Route};
use crate::metrics::Metrics;

/// What a request whose client left before the answer is counted as, as nginx does.
const CLIENT_LEFT: u16 = 499;

/// Noted when it is dropped: after the answer's last byte, or when nobody waits for it any more.
pub(super) struct Record {
    metrics: Arc<Metrics>,
    started: Instant,
    route: Route,
    method: Method,
    uri: Uri,
    client: Option<IpAddr>,
    id: RequestId,
    identity: Option<Arc<str>>,
    status: u16,
    sent: u64,
    /// Whether the whole answer was handed to the connection.
    complete: bool,
}

impl Record {
    pub(super) fn new<B>(
        metrics: Arc<Metrics>,
        request: &Request<B>,
        client: Option<IpAddr>,
        id: RequestId,
    ) -> Self {
        Self {
            metrics,
            started: Instant::now(),
            route: Route::of(request.uri().path()),
            method: request.method().clone(),
            // Shares the bytes of the request's head.
            uri: request.uri().clone(),
            client,
            id,
            identity: None,
            status: CLIENT_LEFT,
            sent: 0,
            complete: false,
        }
    }

    /// For counting the request's body.
    pub(super) fn tally(&self) -> Tally {
        Tally::new(self.metrics.clone(), self.route, self.method.clone())
    }

    pub(super) fn id(&self) -> &RequestId {
        &self.id
    }

    pub(super) fn answered<B: Body>(&mut self, response: &mut Response<B>) {
        self.status = response.status().as_u16();
        self.identity = response.extensions_mut().remove::<LoggedIdentity>().map(|LoggedIdentity(name)| name);
        // The answer to HEAD has no body, whatever its headers say.
        self.complete = self.method == Method::HEAD || response.body().is_end_stream();
        self.metrics.request(self.route, &self.method, self.status, self.started.elapsed());
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    pub(super) fn complete(&mut self) {
        self.complete = true;
    }

    /// A request's path may name an image, but its query may hold a secret and is left out.
    fn log(&self, took: Duration) {
        let quiet = self.method.is_safe() && self.status < 400 && self.complete;
        macro_rules! access {
            ($level:expr) => {
                event!(
                    target: "berth::access",
                    $level,
                    method = self.method.as_str(),
                    path = self.uri.path(),
                    route = self.route.template(),
                    status = self.status,
                    bytes = self.sent,
                    duration_ms = took.as_micros() as f64 / 1000.0,
                    client = self.client.map(tracing::field::display),
                    request_id = %self.id,
                    identity = self.identity.as_deref(),
                    "{}",
                    if self.complete { "answered" } else { "cut off" }
                )
            };
        }
        if !quiet {
            access!(Level::INFO);
        } else if enabled!(target: "berth::access", Level::DEBUG) {
            access!(Level::DEBUG);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        if self.status == CLIENT_LEFT {
            self.metrics.request(self.route, &self.method, self.status, took);
        }
        self.metrics.sent(self.route, &self.method, self.sent);
        self.log(took);
    }
}
