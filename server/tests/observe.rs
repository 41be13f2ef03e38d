//! What is noted of requests: ids, metrics, the access log.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request};
use axum::http::response::Parts;
use axum::http::{self, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use berth_server::front_door::Connection;
use berth_server::metrics::Metrics;
use berth_server::observe::{LoggedIdentity, ObserveLayer, RequestId};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::{Layer as _, ServiceExt as _};
use tracing::Level;
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::fmt::MakeWriter;

/// Log lines, for looking at.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

async fn handler(method: Method, Extension(id): Extension<RequestId>, body: Bytes) -> Response {
    match method {
        Method::GET => id.to_string().into_response(),
        Method::PUT => {
            tracing::info!(length = body.len(), "stored");
            let mut response = StatusCode::CREATED.into_response();
            response.extensions_mut().insert(LoggedIdentity("ann".into()));
            response
        }
        Method::POST => std::future::pending().await,
        _ => (StatusCode::NOT_FOUND, "no such thing").into_response(),
    }
}

/// What came back, and what was noted.
struct Seen {
    /// None if nobody waited for the answer.
    answer: Option<(Parts, Bytes)>,
    log: Vec<Value>,
    metrics: String,
}

impl Seen {
    fn answer(&self) -> (&Parts, &str) {
        let (parts, body) = self.answer.as_ref().unwrap();
        (parts, std::str::from_utf8(body).unwrap())
    }

    fn counted(&self, line: &str) -> bool {
        self.metrics.contains(&format!("\n{line}\n"))
    }
}

async fn observe(level: Level, request: Request) -> Seen {
    let (lines, metrics) = (Lines::default(), Arc::new(Metrics::new()));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_max_level(level)
        .with_writer(lines.clone())
        .finish();
    let layer = ObserveLayer::new(metrics.clone(), &["127.0.0.0/8".parse().unwrap()]);
    let service = layer.layer(Router::new().fallback(handler));
    let run = async {
        let response = timeout(Duration::from_millis(100), service.oneshot(request)).await.ok()?.unwrap();
        let (parts, body) = response.into_parts();
        Some((parts, body.collect().await.unwrap().to_bytes()))
    };
    let answer = run.with_subscriber(subscriber).await;
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    Seen {
        answer,
        log: log.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        metrics: metrics.render(),
    }
}

fn request(method: Method, path: &str) -> http::request::Builder {
    let peer = "127.0.0.1:1234".parse().unwrap();
    let connection = Connection { peer, tls: false, proxied: true };
    Request::builder().method(method).uri(path).extension(connection)
}

const MANIFEST: &str = "/v2/team/app/manifests/latest?secret=1";

#[tokio::test]
async fn a_read_that_succeeds_is_counted_and_not_logged() {
    let seen = observe(Level::INFO, request(Method::GET, MANIFEST).body(Body::empty()).unwrap()).await;
    let (parts, id) = seen.answer();
    assert_eq!(parts.headers["x-request-id"], id);
    assert_eq!(seen.log, [Value::Null; 0]);
    let route = "route=\"/v2/{repository}/manifests/{reference}\",method=\"GET\"";
    assert!(
        seen.counted(&format!("berth_http_requests_total{{{route},status=\"200\"}} 1")),
        "{}",
        seen.metrics
    );
    assert!(seen.counted(&format!("berth_http_sent_bytes_total{{{route}}} 16")), "{}", seen.metrics);
    let seen = observe(Level::DEBUG, request(Method::GET, MANIFEST).body(Body::empty()).unwrap()).await;
    assert_eq!(seen.log.last().unwrap()["level"], "DEBUG");
}

#[tokio::test]
async fn a_write_is_one_line_of_the_log() {
    let request = request(Method::PUT, MANIFEST)
        .header("x-request-id", "from-the-client")
        .header("authorization", "Bearer secret")
        .body(Body::from("12345"))
        .unwrap();
    let seen = observe(Level::INFO, request).await;
    let (parts, _) = seen.answer();
    assert_eq!(parts.headers["x-request-id"], "from-the-client");
    assert!(parts.extensions.get::<LoggedIdentity>().is_none());
    let [stored, access] = &seen.log[..] else { panic!("{:?}", seen.log) };
    assert_eq!(stored["span"]["id"], "from-the-client", "what happens inside names the request too");
    let expected = json!({
        "level": "INFO", "target": "berth::access", "message": "answered", "method": "PUT",
        "path": "/v2/team/app/manifests/latest", "route": "/v2/{repository}/manifests/{reference}",
        "status": 201, "bytes": 0, "client": "127.0.0.1", "request_id": "from-the-client", "identity": "ann",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&access[field], value, "{field}");
    }
    assert!(access["duration_ms"].is_f64());
    assert!(!format!("{:?}", seen.log).contains("secret"));
    let route = "route=\"/v2/{repository}/manifests/{reference}\",method=\"PUT\"";
    assert!(seen.counted(&format!("berth_http_received_bytes_total{{{route}}} 5")), "{}", seen.metrics);
}

#[tokio::test]
async fn a_read_that_fails_is_logged() {
    let seen = observe(Level::INFO, request(Method::HEAD, "/nowhere").body(Body::empty()).unwrap()).await;
    let [access] = &seen.log[..] else { panic!("{:?}", seen.log) };
    assert_eq!((&access["status"], &access["route"]), (&json!(404), &json!("other")));
    assert_eq!(access["message"], "answered");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_is_noted() {
    let path = "/v2/app/blobs/uploads/";
    let seen = observe(Level::INFO, request(Method::POST, path).body(Body::empty()).unwrap()).await;
    assert!(seen.answer.is_none());
    let [access] = &seen.log[..] else { panic!("{:?}", seen.log) };
    assert_eq!((&access["status"], &access["message"]), (&json!(499), &json!("cut off")));
    let line = "berth_http_requests_total{route=\"/v2/{repository}/blobs/uploads/\",method=\"POST\",status=\"499\"} 1";
    assert!(seen.counted(line), "{}", seen.metrics);
}

#[tokio::test]
async fn the_client_behind_trusted_proxies_is_the_last_that_is_not_one_of_them() {
    let table: [(&[&str], &str); 5] = [
        (&["203.0.113.9"], "203.0.113.9"),
        (&["1.1.1.1, 203.0.113.9, 127.0.0.3", "127.0.0.2"], "203.0.113.9"),
        (&["nonsense"], "127.0.0.1"),
        (&["203.0.113.9, nonsense, 127.0.0.2"], "127.0.0.2"),
        (&[], "127.0.0.1"),
    ];
    for (headers, client) in table {
        let request = headers
            .iter()
            .fold(request(Method::PUT, "/"), |request, value| request.header("x-forwarded-for", *value));
        let seen = observe(Level::INFO, request.body(Body::empty()).unwrap()).await;
        assert_eq!(seen.log.last().unwrap()["client"], client, "{headers:?}");
    }
}
