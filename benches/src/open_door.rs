//! Berth's own front door, layers and store around one route, GET of a manifest, at which nobody is asked who
//! they are: the same answer without what access costs. It stands in no other program than the benches.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use berth_oci::Reference;
use berth_server::config::{BlobsConfig, Config, Flags, MetadataUrl};
use berth_server::front_door::{self, FrontDoor};
use berth_server::logging::{self, Colour};
use berth_server::metrics::Metrics;
use berth_server::observe::ObserveLayer;
use berth_server::pack_names::{PackNames, Packed};
use berth_storage::{BufferBudget, DataFolder, LocalBlobStore, RegistryOptions, Timestamp};
use clap::Args;
use tower::Layer;
use tower::util::MapResponseLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

type Registry = berth_storage::Registry<LocalBlobStore>;

#[derive(Args)]
pub(crate) struct OpenDoor {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    data: PathBuf,
}

impl OpenDoor {
    /// Serves until it is killed.
    pub(crate) fn run(&self) -> Result<()> {
        let flags = Flags { listen: Some(self.listen.to_string()), data: Some(self.data.clone()) };
        let (config, _) = Config::load(None, [], flags)?;
        let _log = logging::start(&config.log, Colour::Off)?;
        tokio::runtime::Builder::new_multi_thread()
            .max_blocking_threads(config.limits.blocking_threads)
            .enable_all()
            .build()?
            .block_on(serve(&config))
    }
}

async fn serve(config: &Config) -> Result<()> {
    let metrics = Arc::new(Metrics::new());
    let door = FrontDoor::new(config, metrics.connections_open.clone())?;
    let listener = front_door::bind(config.listen).await?;
    let _locked = DataFolder::open(&config.data)?;
    let budget = BufferBudget::new(usize::try_from(config.limits.read_buffer_budget)?);
    let BlobsConfig::Local { path } = &config.blobs else {
        bail!("the open door keeps its blobs in a folder")
    };
    let blobs = LocalBlobStore::open(path, budget, metrics.clone())?;
    let options = RegistryOptions {
        uploads_expire_after: config.uploads.expire_after,
        delays: berth_storage::Delays {
            unreferenced: config.collection.unreferenced_after,
            untagged: config.collection.untagged_after,
        },
        manifest_cache_bytes: 32 << 20,
        audit_keep: config.audit.keep,
        audit_most: config.audit.max_records as u64,
        clock: Arc::new(|| Timestamp::from_system(SystemTime::now())),
        observer: Arc::new(|_| {}),
        telemetry: metrics.clone(),
    };
    let MetadataUrl::Sqlite(database) = &config.metadata.url else {
        bail!("the open door keeps its names in a file")
    };
    let registry = Registry::open_sqlite(database, blobs, options).await.context("opening the registry")?;
    let version = HeaderName::from_static("docker-distribution-api-version");
    let router: Router = Router::new()
        .route("/v2/{repository}/manifests/{reference}", get(manifest))
        .layer(SetResponseHeaderLayer::overriding(version, HeaderValue::from_static("registry/2.0")))
        .layer(CatchPanicLayer::new())
        .with_state(registry);
    let layers = MapResponseLayer::new(with_security_headers).layer(PackNames(router));
    let service = ObserveLayer::new(metrics, &[]).layer(layers);
    front_door::serve(listener, door, service, std::future::pending()).await;
    Ok(())
}

fn with_security_headers(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    answer
}

/// Answers as Berth does, header for header: the measure makes sure of that.
async fn manifest(
    State(registry): State<Registry>,
    Extension(Packed { name, last }): Extension<Packed>,
    asked: HeaderMap,
) -> Result<Response, StatusCode> {
    if asked.contains_key(header::IF_NONE_MATCH) {
        return Err(StatusCode::NOT_IMPLEMENTED);
    }
    let name = name.map_err(|_| StatusCode::BAD_REQUEST)?;
    let reference: Reference = last.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    let found = registry.manifest(&name, &reference).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let found = found.ok_or(StatusCode::NOT_FOUND)?;
    let answer = Response::builder()
        .header(header::CONTENT_TYPE, found.media_type.as_str())
        .header(header::CONTENT_LENGTH, found.content.len())
        .header("docker-content-digest", found.digest.as_str())
        .header(header::ETAG, format!("\"{}\"", found.digest))
        .body(Body::from(found.content.clone()));
    answer.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
