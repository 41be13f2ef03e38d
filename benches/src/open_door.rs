//! Berth's own front door, metrics and store around one route, GET of a manifest, at which nobody is asked who
//! they are: the same answer without what access costs. It stands in no other program than the benches.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use berth_oci::{Reference, RepositoryName};
use berth_server::config::{Config, Flags, MetadataUrl};
use berth_server::front_door::{self, FrontDoor};
use berth_server::logging::{self, Colour};
use berth_server::metrics::Metrics;
use berth_server::observe::ObserveLayer;
use berth_storage::{BufferBudget, DataFolder, LocalBlobStore, RegistryOptions, Timestamp};
use clap::{Args, Subcommand};
use tower::Layer;

type Registry = berth_storage::Registry<LocalBlobStore>;

/// What the benches start themselves as.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Serve the manifests of a data folder to everyone
    #[command(hide = true)]
    OpenDoor(OpenDoor),
}

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
    let blobs = LocalBlobStore::open(&config.blobs.path, budget, metrics.clone())?;
    let options = RegistryOptions {
        uploads_expire_after: config.uploads.expire_after,
        manifest_cache_bytes: 32 << 20,
        audit_keep: config.audit.keep,
        audit_most: config.audit.max_records as u64,
        clock: Arc::new(|| Timestamp::from_system(SystemTime::now())),
        observer: Arc::new(|_| {}),
        telemetry: metrics.clone(),
    };
    let MetadataUrl::Sqlite(database) = &config.metadata.url;
    let registry = Registry::open_sqlite(database, blobs, options).await.context("opening the registry")?;
    let router: Router = Router::new().route("/v2/{*path}", get(manifest)).with_state(registry);
    let service = ObserveLayer::new(metrics, &[]).layer(router);
    front_door::serve(listener, door, service, std::future::pending()).await;
    Ok(())
}

/// Answers as Berth does, header for header: the measure makes sure of that.
async fn manifest(
    State(registry): State<Registry>,
    Path(path): Path<String>,
) -> Result<Response, StatusCode> {
    let (name, reference) = path.split_once("/manifests/").ok_or(StatusCode::NOT_FOUND)?;
    let name: RepositoryName = name.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    let reference: Reference = reference.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    let found = registry.manifest(&name, &reference).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let found = found.ok_or(StatusCode::NOT_FOUND)?;
    let answer = Response::builder()
        .header(header::CONTENT_TYPE, found.media_type.as_str())
        .header(header::CONTENT_LENGTH, found.content.len())
        .header("docker-content-digest", found.digest.as_str())
        .header(header::ETAG, format!("\"{}\"", found.digest))
        .header("docker-distribution-api-version", "registry/2.0")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'")
        .header(header::REFERRER_POLICY, "no-referrer")
        .body(Body::from(found.content.clone()));
    answer.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
