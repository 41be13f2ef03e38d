//! What is counted and timed, for Prometheus.
//!
//! Series are made when they are first needed and then found by index: a request on the hot path
//! takes no lock on a map and allocates nothing.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use berth_storage::Telemetry;
use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::observe::Route;

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From a cached manifest to a large blob on a slow line, in seconds.
const REQUEST_SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];
/// From a row in memory to a disk that is in trouble, in seconds.
const OPERATION_SECONDS: [f64; 14] =
    [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 10.0];

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "other"];

/// Every status that this server sends, and then some; the first stands for all others.
const STATUSES: [u16; 33] = [
    0, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409, 411, 412,
    413, 415, 416, 429, 431, 499, 500, 501, 502, 503, 504, 507,
];

/// Where in [`STATUSES`] a status from 100 to 599 stands.
const STATUS_INDEX: [u8; 500] = {
    let mut index = [0; 500];
    let mut at = 1;
    while at < STATUSES.len() {
        index[STATUSES[at] as usize - 100] = at as u8;
        at += 1;
    }
    index
};

/// All series of this process.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram, Buckets>,
    received: Family<RouteLabels, Counter>,
    sent: Family<RouteLabels, Counter>,
    by_route: Box<[OnceLock<RouteSeries>]>,
    database: Family<OperationLabels, Histogram, Buckets>,
    database_by_name: ByName<Histogram>,
    blob_store: Family<OperationLabels, Histogram, Buckets>,
    blob_store_by_name: ByName<Histogram>,
    caches: Family<CacheLabels, Counter>,
    caches_by_name: ByName<[Counter; 2]>,
    /// Connections open now.
    pub connections_open: Gauge,
    /// Upload sessions that are open now.
    pub uploads_open: Gauge,
    /// Refusals that were not written into the audit.
    pub audit_lost: Counter,
    /// Blobs whose bytes are lost or wrong now.
    pub blobs_damaged: Gauge,
    /// Bytes of blobs that were hashed again.
    pub scrubbed: Counter,
    /// Pieces of blocking work that run or wait for a thread now.
    pub blocking_tasks: Gauge,
}

/// What is kept for one route and method.
struct RouteSeries {
    by_status: [OnceLock<Counter>; STATUSES.len()],
    seconds: Histogram,
    received: Counter,
    sent: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    cache: &'static str,
    result: &'static str,
}

#[derive(Clone)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

impl Metrics {
    /// All series, none of them counted yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("berth");
        let requests = Family::<RequestLabels, Counter>::default();
        let seconds = Family::new_with_constructor(Buckets(&REQUEST_SECONDS));
        let (received, sent) = (Family::default(), Family::default());
        let database = Family::new_with_constructor(Buckets(&OPERATION_SECONDS));
        let blob_store = Family::new_with_constructor(Buckets(&OPERATION_SECONDS));
        let caches = Family::<CacheLabels, Counter>::default();
        let (connections_open, uploads_open, blocking_tasks) =
            (Gauge::default(), Gauge::default(), Gauge::default());
        registry.register("build", "This version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From a request's headers to its answer's headers",
            Unit::Seconds,
            seconds.clone(),
        );
        registry.register_with_unit(
            "http_received",
            "Bytes of requests' bodies",
            Unit::Bytes,
            received.clone(),
        );
        registry.register_with_unit("http_sent", "Bytes of answers' bodies", Unit::Bytes, sent.clone());
        registry.register("connections_open", "Connections open now", connections_open.clone());
        registry.register("uploads_open", "Upload sessions open now", uploads_open.clone());
        let audit_lost = Counter::default();
        registry.register("audit_lost", "Refusals not written into the audit", audit_lost.clone());
        let (blobs_damaged, scrubbed) = (Gauge::default(), Counter::default());
        registry.register("blobs_damaged", "Blobs whose bytes are lost or wrong now", blobs_damaged.clone());
        registry.register_with_unit("scrubbed", "Bytes of blobs hashed again", Unit::Bytes, scrubbed.clone());
        registry.register("blocking_tasks", "Blocking work under way now", blocking_tasks.clone());
        registry.register_with_unit(
            "database_operation_duration",
            "How long the database took",
            Unit::Seconds,
            database.clone(),
        );
        registry.register_with_unit(
            "blob_store_operation_duration",
            "How long the blob store took",
            Unit::Seconds,
            blob_store.clone(),
        );
        registry.register("cache_lookups", "What caches had (hit) and had not (miss)", caches.clone());
        Self {
            registry,
            requests,
            seconds,
            received,
            sent,
            by_route: (0..Route::ALL.len() * METHODS.len()).map(|_| OnceLock::new()).collect(),
            database,
            database_by_name: ByName::default(),
            blob_store,
            blob_store_by_name: ByName::default(),
            caches,
            caches_by_name: ByName::default(),
            connections_open,
            uploads_open,
            audit_lost,
            blobs_damaged,
            scrubbed,
            blocking_tasks,
        }
    }

    /// Everything in the text format of OpenMetrics, which Prometheus reads.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _: fmt::Result = encode(&mut text, &self.registry);
        text
    }

    /// A request that was answered, or given up by its client (status 499).
    pub(crate) fn request(&self, route: Route, method: &Method, status: u16, took: Duration) {
        let method = method_index(method);
        let series = self.series(route, method);
        let index =
            usize::from(STATUS_INDEX.get(usize::from(status).wrapping_sub(100)).copied().unwrap_or(0));
        let count = series.by_status[index].get_or_init(|| {
            let status = status_label(STATUSES[index]);
            let labels = RequestLabels { route: route.template(), method: METHODS[method], status };
            self.requests.get_or_create_owned(&labels)
        });
        count.inc();
        series.seconds.observe(took.as_secs_f64());
    }

    /// Bytes of a request's body.
    pub(crate) fn received(&self, route: Route, method: &Method, bytes: u64) {
        self.series(route, method_index(method)).received.inc_by(bytes);
    }

    /// Bytes of an answer's body.
    pub(crate) fn sent(&self, route: Route, method: &Method, bytes: u64) {
        self.series(route, method_index(method)).sent.inc_by(bytes);
    }

    fn series(&self, route: Route, method: usize) -> &RouteSeries {
        self.by_route[route as usize * METHODS.len() + method].get_or_init(|| {
            let labels = RouteLabels { route: route.template(), method: METHODS[method] };
            RouteSeries {
                by_status: [const { OnceLock::new() }; STATUSES.len()],
                seconds: self.seconds.get_or_create_owned(&labels),
                received: self.received.get_or_create_owned(&labels),
                sent: self.sent.get_or_create_owned(&labels),
            }
        })
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Telemetry for Metrics {
    fn database(&self, operation: &'static str, took: Duration) {
        let make = |operation| self.database.get_or_create_owned(&OperationLabels { operation });
        self.database_by_name.get(operation, make).observe(took.as_secs_f64());
    }

    fn blob_store(&self, operation: &'static str, took: Duration) {
        let make = |operation| self.blob_store.get_or_create_owned(&OperationLabels { operation });
        self.blob_store_by_name.get(operation, make).observe(took.as_secs_f64());
    }

    fn cache(&self, cache: &'static str, hit: bool) {
        let make = |cache| {
            ["miss", "hit"].map(|result| self.caches.get_or_create_owned(&CacheLabels { cache, result }))
        };
        self.caches_by_name.get(cache, make)[usize::from(hit)].inc();
    }
}

fn method_index(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::HEAD => 1,
        Method::POST => 2,
        Method::PUT => 3,
        Method::PATCH => 4,
        Method::DELETE => 5,
        _ => 6,
    }
}

/// A status as a label; made once per series, so it may leak its few bytes.
fn status_label(status: u16) -> &'static str {
    match StatusCode::from_u16(status) {
        Ok(status) => String::leak(status.as_str().to_owned()),
        Err(_) => "other",
    }
}

/// A handful of things by name, found without a lock; past sixteen names all share the last.
struct ByName<T> {
    slots: [OnceLock<(&'static str, T)>; 16],
}

impl<T> ByName<T> {
    fn get(&self, name: &'static str, make: impl Fn(&'static str) -> T) -> &T {
        let (last, slots) = (&self.slots[15], &self.slots[..15]);
        for slot in slots {
            let (known, value) = slot.get_or_init(|| (name, make(name)));
            if std::ptr::eq(*known, name) || *known == name {
                return value;
            }
        }
        &last.get_or_init(|| ("other", make("other"))).1
    }
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self { slots: [const { OnceLock::new() }; 16] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_rendered_by_route_method_and_status() {
        let metrics = Metrics::new();
        for status in [200, 200, 404, 299, 499] {
            metrics.request(Route::Manifest, &Method::GET, status, Duration::from_micros(300));
        }
        metrics.sent(Route::Manifest, &Method::GET, 738);
        metrics.received(Route::Upload, &Method::PATCH, 1 << 20);
        metrics.connections_open.set(3);
        let text = metrics.render();
        let route = "route=\"/v2/{repository}/manifests/{reference}\",method=\"GET\"";
        let lines = [
            "berth_build_info{version=\"".to_owned(),
            format!("berth_http_requests_total{{{route},status=\"200\"}} 2\n"),
            format!("berth_http_requests_total{{{route},status=\"404\"}} 1\n"),
            format!("berth_http_requests_total{{{route},status=\"other\"}} 1\n"),
            format!("berth_http_requests_total{{{route},status=\"499\"}} 1\n"),
            format!("berth_http_request_duration_seconds_bucket{{le=\"0.0005\",{route}}} 5\n"),
            format!("berth_http_sent_bytes_total{{{route}}} 738\n"),
            "berth_http_received_bytes_total{route=\"/v2/{repository}/blobs/uploads/{session}\",method=\"PATCH\"} \
             1048576\n"
                .to_owned(),
            "berth_connections_open 3\n".to_owned(),
        ];
        for line in lines {
            assert!(text.contains(&line), "{line} in:\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn the_stores_report_by_operation_and_the_caches_by_result() {
        let metrics = Metrics::new();
        metrics.database("commit", Duration::from_millis(2));
        metrics.blob_store("seal", Duration::from_millis(2));
        for hit in [true, true, false] {
            metrics.cache("tokens", hit);
        }
        let text = metrics.render();
        for line in [
            "berth_database_operation_duration_seconds_count{operation=\"commit\"} 1\n",
            "berth_blob_store_operation_duration_seconds_bucket{le=\"0.0025\",operation=\"seal\"} 1\n",
            "berth_cache_lookups_total{cache=\"tokens\",result=\"hit\"} 2\n",
            "berth_cache_lookups_total{cache=\"tokens\",result=\"miss\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} in:\n{text}");
        }
    }

    #[test]
    fn names_past_the_sixteenth_share_one_series() {
        let names: ByName<&'static str> = ByName::default();
        let letters = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"];
        for letter in letters {
            names.get(letter, |name| name);
        }
        assert_eq!(*names.get("c", |name| name), "c");
        assert_eq!(*names.get("q", |name| name), "other");
    }
}
