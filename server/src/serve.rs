//! A whole server, from its configuration to its orderly end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use berth_storage::{Swept, Telemetry};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tower::Layer;
use tower::util::MapResponseLayer;
use tracing::{info, warn};

use crate::blob_lease::BlobLease;
use crate::config::Config;
use crate::directory::Tended;
use crate::error::Error;
use crate::front_door::{self, FrontDoor, ListenError, TlsError};
use crate::metrics::Metrics;
use crate::observe::ObserveLayer;
use crate::security_headers::{self, Transports};
use crate::state::{App, Settings};
use crate::store::{FirstAdmin, Purpose, Store};
use crate::{epoch, presence, probes, refusals, retention, routes};

/// How often expired uploads and condemned bytes are looked for, unless uploads expire sooner.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its address can't be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its stores can't be opened.
    #[error(transparent)]
    Store(#[from] Error),
}

/// A server that listens but answers nobody yet.
pub struct Server {
    app: App,
    /// How people know this server.
    name: String,
    metrics: Arc<Metrics>,
    door: FrontDoor,
    listener: tokio::net::TcpListener,
    admin: Option<tokio::net::TcpListener>,
    first_admin: FirstAdmin,
    observe: ObserveLayer,
    transports: Transports,
    sweep_every: Duration,
    blob_lease: Option<BlobLease>,
}

impl Server {
    /// Opens the stores and binds the addresses of `config`.
    ///
    /// # Errors
    /// One sentence on what is in the way.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        front_door::raise_open_file_limit();
        let metrics = Arc::new(Metrics::new());
        let door = FrontDoor::new(config, metrics.connections_open.clone())?;
        // The address before the stores: a server that can't be reached leaves no trace.
        let listener = front_door::bind(config.listen).await?;
        let admin = match config.admin.listen {
            Some(address) => Some(front_door::bind(address).await?),
            None => None,
        };
        let telemetry: Arc<dyn Telemetry> = metrics.clone();
        let mut store = Store::open(config, Purpose::Serving, telemetry).await?;
        let blob_lease = store.blob_lease.take();
        let first_admin = store.first_admin(config).await?;
        let name = presence::name(&store.folder);
        let app = App::new(store, Settings::of(config), Arc::clone(&metrics));
        let observe = ObserveLayer::new(Arc::clone(&metrics), &config.trusted_proxies);
        let sweep_every = config.uploads.expire_after.min(SWEEP_EVERY);
        let transports = Transports::of(config);
        Ok(Self {
            app,
            name,
            metrics,
            door,
            listener,
            admin,
            first_admin,
            observe,
            transports,
            sweep_every,
            blob_lease,
        })
    }

    /// Where it listens; the port is a real one also when 0 was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        self.door.scheme()
    }

    /// What came of the first administrator.
    pub const fn first_admin(&self) -> &FirstAdmin {
        &self.first_admin
    }

    /// Answers until `shutdown` is ready, then finishes what is under way.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self {
            app,
            name,
            metrics,
            door,
            listener,
            admin,
            first_admin: _,
            observe,
            transports,
            sweep_every,
            blob_lease,
        } = self;
        let (stop, stopped) = watch::channel(());
        let sweeper = tokio::spawn(sweep(app.clone(), metrics, sweep_every, stopped.clone()));
        let retention = tokio::spawn(retention::follow(app.clone(), stopped.clone()));
        let epoch = tokio::spawn(epoch::keep(app.clone(), stopped.clone()));
        let presence = tokio::spawn(presence::keep(app.clone(), name, stopped.clone()));
        let headers = MapResponseLayer::new(move |answer| security_headers::add(answer, transports));
        let refused = tokio::spawn(refusals::write_down(app.clone(), stopped.clone()));
        let beside = admin.map(|listener| {
            let router: Router = probes::open_routes().with_state(app.clone());
            let (door, headers, mut stopped) = (door.clone(), headers.clone(), stopped.clone());
            tokio::spawn(async move {
                let until = async move { while stopped.changed().await.is_ok() {} };
                front_door::serve(listener, door, headers.layer(routes::OwnBody(router)), until).await;
            })
        });
        let service = observe.layer(headers.layer(routes::service(app, beside.is_none())));
        let until = async {
            match &blob_lease {
                None => shutdown.await,
                Some(lease) => tokio::select! {
                    () = shutdown => {}
                    () = lease.lost() => {}
                },
            }
        };
        front_door::serve(listener, door, service, until).await;
        drop((stop, stopped));
        if let Some(beside) = beside {
            let _ = beside.await;
        }
        let _ = sweeper.await;
        let _ = retention.await;
        let _ = epoch.await;
        let _ = presence.await;
        let _ = refused.await;
        if let Some(lease) = blob_lease {
            lease.give_back().await;
        }
        info!("stopped");
    }
}

/// Ends what has expired, again and again.
async fn sweep(app: App, metrics: Arc<Metrics>, every: Duration, mut stopped: watch::Receiver<()>) {
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stopped.changed() => {
                write_uses(&app).await;
                return;
            }
        }
        match app.registry.sweep().await {
            Ok(swept) if swept != Swept::default() => {
                info!(
                    swept.expired_uploads,
                    swept.removed,
                    swept.manifests,
                    swept.blobs,
                    swept.bytes,
                    swept.repositories,
                    swept.audit_records,
                    "cleared what nobody needs"
                );
            }
            Ok(_) => {}
            Err(error) => warn!(%error, "clearing what nobody needs failed; trying again"),
        }
        write_uses(&app).await;
        match app.directory.tend_signing_keys().await {
            Ok(Tended::Nothing) => {}
            Ok(Tended::Rotated) => info!("a new signing key signs tokens, as the last one was old"),
            Ok(Tended::Removed) => info!("removed signing keys whose tokens have ended"),
            Err(error) => warn!(%error, "tending the signing keys failed; trying again"),
        }
        if let Ok(open) = app.registry.open_uploads().await {
            metrics.uploads_open.set(i64::try_from(open).unwrap_or(i64::MAX));
        }
    }
}

/// Writes down which access keys were used, and which images pulled.
async fn write_uses(app: &App) {
    if let Err(error) = app.directory.write_uses().await {
        warn!(%error, "noting which access keys were used failed; trying again");
    }
    if let Err(error) = app.registry.write_pulls().await {
        warn!(%error, "noting which images were pulled failed; trying again");
    }
}
