//! The route table, which reads like the specification.

use std::any::Any;
use std::convert::Infallible;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::Request;
use tower::Service;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::access::Known;
use crate::api::{DOCKER_API_VERSION, REGISTRY_2};
use crate::api::{base, blobs, catalog, extensions, manifests, referrers, tags, uploads};
use crate::error::Error;
use crate::pack_names::PackNames;
use crate::security_headers::no_store;
use crate::state::App;
use crate::{management, probes, token};

/// Everything that is served, as one service.
pub(crate) fn service(app: App, probes_too: bool) -> PackNames<Router> {
    let registry = Router::new()
        .route("/v2/", get(base::check))
        .route("/v2", get(base::check))
        .route("/v2/_catalog", get(catalog::list))
        .route("/v2/_oci/ext/discover", get(extensions::discover))
        .route(
            "/v2/{repository}/manifests/{reference}",
            get(manifests::get).put(manifests::put).delete(manifests::delete),
        )
        .route("/v2/{repository}/blobs/{digest}", get(blobs::get).head(blobs::head).delete(blobs::delete))
        .route("/v2/{repository}/blobs/uploads/", post(uploads::begin))
        .route(
            "/v2/{repository}/blobs/uploads/{session}",
            get(uploads::status).patch(uploads::append).put(uploads::finish).delete(uploads::cancel),
        )
        .route("/v2/{repository}/tags/list", get(tags::list))
        .route("/v2/{repository}/referrers/{digest}", get(referrers::list))
        .route("/v2/{repository}/_oci/ext/discover", get(extensions::discover_repository))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_path)
        .layer(SetResponseHeaderLayer::overriding(DOCKER_API_VERSION, REGISTRY_2));
    let own = Router::new()
        .route("/token", get(token::get).post(token::post))
        .nest("/api/v1", management::routes())
        .layer(no_store())
        .route("/.well-known/jwks.json", get(token::jwks));
    let router = registry.merge(own);
    let router = if probes_too { router.merge(probes::routes()) } else { router };
    PackNames(router.layer(CatchPanicLayer::custom(after_panic)).with_state(app))
}

/// A handler that panicked is a failure like others: it is logged and answered.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn after_panic(panic: Box<dyn Any + Send>) -> Response {
    let said = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Error::from(berth_storage::Fault::because("answering a request", said)).into_response()
}

/// Whoever has not said who they are learns nothing, not even which paths there are.
async fn no_such_path(_: Known) -> Error {
    Error::NoSuchPath
}

async fn method_not_allowed(_: Known) -> Error {
    Error::MethodNotAllowed
}

/// A router as the front door and the observing layer hand requests to it.
#[derive(Clone)]
pub(crate) struct OwnBody(pub(crate) Router);

impl<B> Service<Request<B>> for OwnBody
where
    B: http_body::Body<Data = bytes::Bytes, Error: Into<tower::BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = axum::routing::future::RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.call(request.map(Body::new))
    }
}
