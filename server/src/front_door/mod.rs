//! The front door: everything between the network and the first line of a handler.
//!
//! It owns connections: how many, how long each may be silent, HTTP/1.1 and HTTP/2, TLS, and the
//! orderly end. It knows no path and answers no request itself.

mod body;
mod connection;
mod listener;
mod socket;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use ipnet::IpNet;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::{BoxError, Service};
use tracing::{info, warn};

pub use body::{BodyError, LivingBody};
pub use connection::Connection;
use connection::Protocols;
pub use listener::{ListenError, bind, raise_open_file_limit};
pub use tls::{Tls, TlsError};

use crate::config::{Config, LimitsConfig};

/// How long requests under way may take to finish once the server stops.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// How the door is kept; one value may serve several listeners.
#[derive(Clone)]
pub struct FrontDoor {
    tls: Option<Arc<Tls>>,
    limits: LimitsConfig,
    trusted_proxies: Arc<[IpNet]>,
    open: Gauge,
}

impl FrontDoor {
    /// Reads the certificate, if one is configured; `open` counts open connections.
    ///
    /// # Errors
    /// The certificate or its key can't be used.
    pub fn new(config: &Config, open: Gauge) -> Result<Self, TlsError> {
        let tls = config.tls.as_ref().map(|tls| Tls::load(&tls.cert, &tls.key)).transpose()?;
        Ok(Self {
            tls: tls.map(Arc::new),
            limits: config.limits.clone(),
            trusted_proxies: config.trusted_proxies.clone().into(),
            open,
        })
    }

    /// The scheme that clients use, `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// Takes connections until `shutdown` is ready, then lets requests under way finish for half a
/// minute, then drops what is left.
///
/// Each request carries its [`Connection`] as an extension.
pub async fn serve<S, B>(
    listener: TcpListener,
    door: FrontDoor,
    service: S,
    shutdown: impl Future<Output = ()>,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(door.limits.connections.min(Semaphore::MAX_PERMITS)));
    let protocols = Arc::new(Protocols::new(&door.limits));
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    let mut trouble = Trouble::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &slots) => accepted,
        };
        let (stream, peer, slot) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                trouble.wait_out(&error).await;
                continue;
            }
        };
        trouble = Trouble::default();
        let connection = Connection {
            peer,
            tls: door.tls.is_some(),
            proxied: door.trusted_proxies.iter().any(|network| network.contains(&peer.ip().to_canonical())),
        };
        let (tls, protocols, service) = (door.tls.clone(), protocols.clone(), service.clone());
        let (stopping, open) = (stopping.clone(), Open::count(&door.open));
        connections.spawn(async move {
            protocols.serve(stream, connection, tls.as_deref(), service, stopping).await;
            drop((slot, open));
        });
    }
    drop((listener, stop));
    let finished = timeout(STOP_DEADLINE, async { while connections.join_next().await.is_some() {} }).await;
    if finished.is_err() {
        warn!(connections = connections.len(), "requests did not finish in time and are cut off");
        connections.shutdown().await;
    }
}

/// A place first, then a connection: while all are taken, clients wait in the system's queue.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, slot))
}

/// Failures of `accept` in a row: logged once, waited out.
#[derive(Default)]
struct Trouble {
    failures: u32,
}

impl Trouble {
    async fn wait_out(&mut self, error: &io::Error) {
        // That one client is gone already; the next is as good as any.
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            return;
        }
        if self.failures == 0 {
            warn!(%error, "no connection can be accepted; trying again");
        }
        self.failures = self.failures.saturating_add(1);
        // Out of file descriptors, for instance: only other connections' ends help.
        sleep(Duration::from_millis(10 << self.failures.min(6))).await;
        if self.failures.is_power_of_two() && self.failures >= 1024 {
            info!(%error, failures = self.failures, "still no connection can be accepted");
        }
    }
}

/// Counts a connection as open while it lives.
struct Open(Gauge);

impl Open {
    fn count(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
